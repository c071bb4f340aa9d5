import fc from 'fast-check'
import { expect, it } from 'vitest'
import { asFloat, plain } from './plain.ts'

it.each<[unknown, unknown]>([
  [0xffff_ffff, 0xffff_ffff],
  [0x1_0000_0000, 0x1_0000_0000n],
  [-0x8000_0000, -0x8000_0000],
  [-0x8000_0001, -0x8000_0001n],
  [Number.MAX_SAFE_INTEGER, BigInt(Number.MAX_SAFE_INTEGER)],
  [2 ** 53, 2 ** 53],
  [2 ** 40 + 0.5, 2 ** 40 + 0.5],
  [1.5, 1.5],
  [null, null],
  [7n, 7n],
  ['a\0b', 'a\ufffdb'],
  ['\ud83d', '\ufffd'],
  ['\ude00x', '\ufffdx'],
  ['😀', '😀'],
  ['\uffff', '\uffff'],
])('writes a value as the protocol has it: row %#', (value, written) => {
  expect(plain(value)).toBe(written)
})

it('leaves out keys without a value, and changes values and keys at any depth', () => {
  const value = { a: 1, b: undefined, c: [1, { d: 2 ** 32, 'e\0': 'f' }], g: 2 }
  const before = structuredClone(value)
  expect(plain(value)).toStrictEqual({ a: 1, c: [1, { d: 2n ** 32n, 'e\ufffd': 'f' }], g: 2 })
  expect(value).toStrictEqual(before)
})

it.each([
  [() => {}, 'function'],
  [Symbol('x'), 'symbol'],
  [[undefined], 'undefined'],
] as const)('refuses what no message can hold: row %#', (value, type) => {
  expect(() => plain(value)).toThrow(new TypeError(`a ${type} has no place in a message`))
})

it('is the same object when nothing has to change, and the same again when it is done twice', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }), (value) => {
      const once = plain(value)
      expect(plain(once)).toBe(once)
    }),
    { numRuns: 40 },
  )
})

it('leaves wide integers to be floats where only this program reads them, and makes no copy for them', () => {
  const value = { at: 1_763_769_600_123, in: [2 ** 40], text: 'a\0' }
  expect(plain(value, asFloat)).toStrictEqual({ at: 1_763_769_600_123, in: [2 ** 40], text: 'a\ufffd' })
  const same = { at: 1_763_769_600_123, in: [2 ** 40] }
  expect(plain(same, asFloat)).toBe(same)
})
