import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as limits from './limits.ts'

/** The table "Limits" of the document: the first number of each row, by the name in its last column. */
function documented(): Record<string, number> {
  const text = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
  const rows = text.matchAll(/^\| [^|]+\| ([-0-9,]+)[^|]*\| `([A-Z_]+)` \|$/gm)
  return Object.fromEntries([...rows].map(([, figure, name]) => [name, Number(figure!.replaceAll(',', ''))]))
}

it('has exactly the limits that docs/protocol.md gives', () => {
  const { SUPPORTED_VERSIONS, ...figures } = limits
  expect(documented()).toEqual({ ...figures })
  expect(SUPPORTED_VERSIONS).toEqual([1])
})
