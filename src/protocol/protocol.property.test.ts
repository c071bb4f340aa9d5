// Properties over many packets. The seed is fixed, so that a failure here is a failure everywhere.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  array,
  type Bytes,
  FALSE,
  fits,
  float32,
  float64,
  type Header,
  type IntWidth,
  int,
  map,
  NIL,
  packet,
  rawStr,
  str,
  TRUE,
} from '../../test/support/msgpack.ts'
import { decodeMessage, decodeRequest } from './decode.ts'
import { encode } from './encode.ts'
import { isOp, shapeFault } from './messages.ts'

const SEED = 0xfdb

/** A value and one of its spellings in MessagePack. */
interface Spelled {
  value: unknown
  bytes: Bytes
}

const INT_WIDTHS: IntWidth[] = ['u8', 'u16', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64']
const STR_HEADERS: Header[] = ['fix', 8, 16, 32]
const CONTAINER_HEADERS: Header[] = ['fix', 16, 32]

const roomFor = (length: number, headers: Header[], fix: number) =>
  headers.filter((header) => (header === 'fix' ? length <= fix : length < 2 ** header))

const constant = fc.constantFrom<Spelled>(
  { value: null, bytes: NIL },
  { value: true, bytes: TRUE },
  { value: false, bytes: FALSE },
)

const integer = fc
  .tuple(fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n), fc.bigInt(-40n, 300n)), fc.nat())
  .map(([wide, pick]): Spelled => {
    const widths = INT_WIDTHS.filter((width) => fits(wide, width))
    const exact = wide >= -(2n ** 53n) && wide <= 2n ** 53n
    return { value: exact ? Number(wide) : wide, bytes: int(wide, widths[pick % widths.length]) }
  })

// No -0: the encoder writes it as the integer 0.
const float = fc.oneof(
  fc.double({ noNaN: true }).map((value): Spelled => ({ value: value + 0, bytes: float64(value + 0) })),
  fc.float({ noNaN: true }).map((value): Spelled => ({ value: value + 0, bytes: float32(value + 0) })),
)

// No byte order mark in front: msgpackr drops it from strings over 64 bytes, as docs/protocol.md warns.
const words = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.constantFrom('id', 'op', 'constructor', 'toString'),
  )
  .map((text) => text.replaceAll('\0', '').replace(/^\ufeff+/, ''))

const string = fc.tuple(words, fc.nat()).map(([text, pick]): Spelled => {
  const headers = roomFor(Buffer.byteLength(text), STR_HEADERS, 31)
  return { value: text, bytes: str(text, headers[pick % headers.length]) }
})

const key = string.filter(({ value }) => value !== '__proto__')

function container(depth: number): fc.Arbitrary<Spelled> {
  return fc.oneof(
    fc.tuple(fc.array(spelled(depth + 1), { maxLength: 20 }), fc.nat()).map(([items, pick]): Spelled => {
      const headers = roomFor(items.length, CONTAINER_HEADERS, 15)
      return {
        value: items.map(({ value }) => value),
        bytes: array(
          items.map(({ bytes }) => bytes),
          headers[pick % headers.length],
        ),
      }
    }),
    fc.tuple(pairs(depth), fc.nat()).map(([entries, pick]) => spellMap(entries, pick)),
  )
}

function pairs(depth: number) {
  return fc.uniqueArray(fc.tuple(key, spelled(depth + 1)), { maxLength: 18, selector: ([{ value }]) => value })
}

function spellMap(entries: [Spelled, Spelled][], pick: number): Spelled {
  const headers = roomFor(entries.length, CONTAINER_HEADERS, 15)
  return {
    value: Object.fromEntries(entries.map(([{ value: name }, { value }]) => [name, value])),
    bytes: map(
      entries.map(([{ bytes: name }, { bytes }]) => [name, bytes]),
      headers[pick % headers.length],
    ),
  }
}

/** Any value whose containers are at nesting `depth`, so that nothing is deeper than 6. */
function spelled(depth: number): fc.Arbitrary<Spelled> {
  const flat = fc.oneof(constant, integer, float, string)
  return depth > 6 ? flat : fc.oneof({ weight: 4, arbitrary: flat }, { weight: 1, arbitrary: container(depth) })
}

const message = fc.tuple(pairs(1), fc.nat()).map(([entries, pick]) => spellMap(entries, pick))

/** Whether a value is nil, boolean, number, bigint, string, or an array or an ordinary object of such. */
function isPlain(value: unknown): boolean {
  if (value === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof value)) return true
  if (Array.isArray(value)) return Object.getPrototypeOf(value) === Array.prototype && value.every(isPlain)
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return false
  return Reflect.ownKeys(value).every(
    (name) => typeof name === 'string' && name !== '__proto__' && isPlain(Reflect.get(value, name)),
  )
}

it('decodes every message within the rules to the same value, however it is spelled', () => {
  fc.assert(
    fc.property(message, ({ value, bytes }) => {
      fc.pre(bytes.length <= 65_536)
      expect(decodeMessage(packet(bytes), false)).toEqual(value)
    }),
    { seed: SEED, numRuns: 1000 },
  )
})

it('decodes what it encoded to the same value', () => {
  fc.assert(
    fc.property(message, ({ value, bytes }) => {
      fc.pre(bytes.length <= 60_000)
      expect(decodeMessage(encode(value as object), false)).toEqual(value)
    }),
    { seed: SEED, numRuns: 500 },
  )
})

const REQUEST = packet(
  map([
    [str('id'), int(7, 'u16')],
    [str('op'), str('acquire', 8)],
    [str('name'), str('web')],
    [str('leases'), array([int(1), int(70_000), map([[str('é'), float64(1.5)]], 16)], 16)],
    [str('wait'), int(-1)],
  ]),
)

const HOSTILE: Bytes[] = [
  [0xd4, 0x72, 0x40],
  [0xc7, 0, 0xff],
  [0xd6, 0xff, 0, 0, 0, 1],
  [0xdd, 255, 255, 255, 255],
  [0xc1],
  [0xc4, 1, 0],
  str('__proto__'),
  rawStr([0xff]),
]

/** One byte replaced, or some inserted and some removed. */
const edit = fc.oneof(
  fc.tuple(
    fc.nat(),
    fc.nat(255).map((byte): Bytes => [byte]),
    fc.constant(1),
  ),
  fc.tuple(fc.nat(), fc.oneof(fc.array(fc.nat(255), { maxLength: 6 }), fc.constantFrom(...HOSTILE)), fc.nat(4)),
)
const edits = fc.array(edit, { minLength: 1, maxLength: 3 })

it('never throws at a mutated request, and whatever passes is plain data that can be judged', () => {
  let passed = 0
  fc.assert(
    fc.property(edits, fc.boolean(), (changes, truncated) => {
      const bytes = [...REQUEST]
      for (const [at, inserted, remove] of changes) bytes.splice(at % (bytes.length + 1), remove, ...inserted)
      const decoded = decodeRequest(Uint8Array.from(bytes), truncated)
      if ('fault' in decoded) return
      passed++
      expect(isPlain(decoded.body)).toBe(true)
      expect(decoded.body.id).toBe(decoded.id)
      const { op } = decoded.body
      if (typeof op === 'string' && isOp(op)) shapeFault(op, decoded.body, decoded.floats)
    }),
    { seed: SEED, numRuns: 20_000 },
  )
  expect(passed).toBeGreaterThan(200)
})

it('never throws at random bytes behind a map header', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const decoded = decodeRequest(packet([0x8f], [...bytes]), false)
      if ('body' in decoded) expect(isPlain(decoded.body)).toBe(true)
    }),
    { seed: SEED, numRuns: 5000 },
  )
})

it.each([
  ['empty maps', 0x80],
  ['empty arrays', 0x90],
  ['map 32 headers', 0xdf],
  ['arrays of arrays', 0x91],
  ['maps of maps', 0x81],
  ['arrays of 15', 0x9f],
  ['records', 0xd4],
  ['empty strings', 0xa0],
  ['bytes of 0xff', 0xff],
])('judges 16 KiB of %s', (_, byte) => {
  const packets = [
    new Uint8Array(16_384).fill(byte),
    packet([0xde, 0xff, 0xff], Array(16_381).fill(byte)),
    packet([0x81, 0xa1, 0x78, 0xdc, 0x3f, 0xf9], Array(16_377).fill(byte)),
  ]
  // An end within the test's time, and never an exception, is all that is asked of such packets.
  for (const bytes of packets) expect(decodeRequest(bytes, false)).toHaveProperty('id')
})
