import { expect, it } from 'vitest'
import { decodeMessage } from './decode.ts'
import { joinParts } from './encode.ts'
import { encodeLists } from './encode-lists.ts'
import { REPLY_MAX } from './limits.ts'

const names = (count: number) => Array.from({ length: count }, (_, at) => `name-${at}`.padEnd(100, 'x'))

it('is one packet where that is long enough, and has no part numbers then', () => {
  const [only, ...more] = encodeLists({ id: 1, ok: true }, { added: ['a'], removed: [] })
  expect(more).toEqual([])
  expect(decodeMessage(only!, false)).toEqual({ id: 1, ok: true, added: ['a'], removed: [] })
})

it('is as many packets as it takes, which join to the whole', () => {
  const lists = {
    added: names(900),
    removed: names(700),
    changed: [{ name: 'web', keys: ['mode'] }],
    unchanged: names(4000),
  }
  const parts = encodeLists({ id: 1, ok: true }, lists)
  expect(parts.length).toBeGreaterThan(5)
  for (const part of parts) expect(part.length).toBeLessThanOrEqual(REPLY_MAX)
  expect(joinParts(parts.map((part) => decodeMessage(part, false)))).toEqual({ id: 1, ok: true, ...lists })
})
