import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { BrokerEvent } from '../client/index.ts'
import { formatEvent } from './event-line.ts'

const line = (details: Record<string, unknown>) =>
  formatEvent({ event: 'granted', at: 5, ...details } as unknown as BrokerEvent, (at) => `T${at}`)

it('is the time, the event in ten columns, and its details in their order', () => {
  expect(line({ name: 'web', lease: 3, pid: 4711 })).toBe('T5 granted    name=web lease=3 pid=4711\n')
  expect(line({})).toBe('T5 granted   \n')
})

it.each<[unknown, string]>([
  ['tcp://127.0.0.1:80', 'tcp://127.0.0.1:80'],
  ['a-b_c.d@e', 'a-b_c.d@e'],
  ['', '""'],
  ['two words', '"two words"'],
  ['a=b', '"a=b"'],
  ['a"b', '"a\\"b"'],
  ['web\n', '"web\\n"'],
  ['\u009b', '"\\x9b"'],
  ['\u202e', '"\\u{202e}"'],
  [null, 'null'],
  [true, 'true'],
  [['a', 1], '["a",1]'],
  [{ a: 'b' }, '{"a":"b"}'],
])('writes the value %j as %s', (value, text) => {
  expect(line({ x: value })).toBe(`T5 granted    x=${text}\n`)
})

it('stays one line without control characters, whatever a program says', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(line({ text })).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u)
    }),
  )
})
