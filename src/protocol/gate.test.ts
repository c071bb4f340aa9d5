import { expect, it } from 'vitest'
import {
  array,
  type Bytes,
  bin,
  ext,
  FALSE,
  fields,
  fixext,
  float32,
  float64,
  int,
  map,
  NEVER_USED,
  NIL,
  packet,
  rawStr,
  str,
  TRUE,
} from '../../test/support/msgpack.ts'
import { inspect } from './gate.ts'

const OK = { fault: undefined }
const EARLY = { fault: 'the packet ends too early' }
const DEEP = { fault: 'it is nested deeper than 6' }

/** A packet whose key `x` has this value, with the id behind it. */
const around = (x: Bytes) =>
  packet(
    map([
      [str('x'), x],
      [str('id'), int(7)],
    ]),
  )

it('passes a plain map and reads its id', () => {
  expect(inspect(packet(fields({ id: int(5), op: str('list') })))).toMatchObject({ ...OK, id: 5, floats: [] })
  expect(inspect(packet(map([])))).toMatchObject({ ...OK, id: undefined })
})

it.each<[string, Bytes]>([
  ['nil', NIL],
  ['false', FALSE],
  ['true', TRUE],
  ['positive fixint 0x72, which a record would be', int(0x72)],
  ['negative fixint', int(-32)],
  ['uint 8', int(200, 'u8')],
  ['uint 16', int(200, 'u16')],
  ['uint 32', int(200, 'u32')],
  ['uint 64', int(2n ** 64n - 1n, 'u64')],
  ['int 8', int(-100, 'i8')],
  ['int 16', int(-100, 'i16')],
  ['int 32', int(-100, 'i32')],
  ['int 64', int(-(2n ** 63n), 'i64')],
  ['fixstr', str('é')],
  ['str 8', str('é', 8)],
  ['str 16', str('é', 16)],
  ['str 32', str('😀', 32)],
  ['an empty string', str('')],
  ['fixarray', array([NIL])],
  ['array 16', array([NIL, TRUE], 16)],
  ['array 32', array([], 32)],
  ['fixmap', map([[str('a'), NIL]])],
  ['map 16', map([[str('a'), NIL]], 16)],
  ['map 32', map([[str('a'), NIL]], 32)],
])('passes %s', (_, bytes) => {
  expect(inspect(around(bytes))).toMatchObject({ ...OK, id: 7 })
})

it.each<[string, Bytes]>([
  ['fixext 1', fixext(1, [0])],
  ['fixext 2', fixext(1, [0, 0])],
  ['fixext 4', fixext(1, [0, 0, 0, 0])],
  ['fixext 8', fixext(1, Array(8).fill(0))],
  ['fixext 16', fixext(1, Array(16).fill(0))],
  ['ext 8', ext(1, [1, 2, 3])],
  ['ext 8 without data', ext(1, [])],
  ['ext 16', ext(1, [1, 2, 3], 16)],
  ['ext 32', ext(1, [1, 2, 3], 32)],
  ['a 32-bit timestamp', fixext(-1, [0, 0, 0, 1])],
  ['a 64-bit timestamp', fixext(-1, [0, 0, 0, 1, 0, 0, 0, 2])],
  ['a 96-bit timestamp', ext(-1, Array(12).fill(1))],
  ['msgpackr’s undefined', fixext(0, [0])],
  ['msgpackr’s record definition', fixext(0x72, [0x40])],
  ['msgpackr’s Set', fixext(0x73, [0])],
])('refuses %s and reads the id behind it', (_, bytes) => {
  expect(inspect(around(bytes))).toMatchObject({ fault: 'it holds an extension type', id: 7 })
})

it.each([8, 16, 32] as const)('refuses bin %i and reads the id behind it', (width) => {
  expect(inspect(around(bin([1, 2], width)))).toMatchObject({ fault: 'it holds binary data', id: 7 })
})

it('refuses 0xc1', () => {
  expect(inspect(around(NEVER_USED))).toMatchObject({
    fault: 'it holds the byte 0xc1, which MessagePack never uses',
    id: 7,
  })
})

it.each<[string, Bytes]>([
  ['nil', NIL],
  ['an integer', int(1)],
  ['a string', str('id')],
  ['an array', array([str('id'), int(1)])],
  ['an extension', ext(1, [1])],
])('refuses a packet that is %s instead of a map', (_, bytes) => {
  expect(inspect(packet(bytes))).toMatchObject({ fault: 'the packet is not a map', id: undefined })
})

it('refuses the empty packet', () => {
  expect(inspect(packet())).toMatchObject({ fault: 'the packet is empty' })
})

it('refuses bytes behind the map, however harmless', () => {
  expect(inspect(packet(fields({ id: int(1) }), NIL))).toMatchObject({ fault: 'bytes follow the map', id: 1 })
  expect(inspect(packet(map([]), map([])))).toMatchObject({ fault: 'bytes follow the map' })
})

it.each<[string, Bytes]>([
  ['nil', NIL],
  ['an integer', int(1)],
  ['true', TRUE],
  ['an array', array([])],
  ['a map', map([])],
  ['a float', float64(1)],
])('refuses a key that is %s', (_, key) => {
  const bytes = packet(
    map([
      [key, NIL],
      [str('id'), int(3)],
    ]),
  )
  expect(inspect(bytes)).toMatchObject({ fault: 'a key is not a string', id: 3 })
})

it('refuses a key twice, whatever the width of its header and however deep', () => {
  const twice = (first: Bytes, second: Bytes) =>
    map([
      [first, NIL],
      [second, NIL],
    ])
  const fault = 'the key "a" occurs twice'
  for (const width of [8, 16, 32] as const) {
    expect(inspect(packet(twice(str('a'), str('a', width))))).toMatchObject({ fault })
    expect(inspect(around(array([twice(str('a', width), str('a'))])))).toMatchObject({ fault, id: 7 })
  }
  expect(inspect(around(array([fields({ a: NIL }), fields({ a: NIL })])))).toMatchObject(OK)
  expect(inspect(packet(twice(str('é'), str('é'))))).toMatchObject({ fault: 'the key "é" occurs twice' })
  expect(inspect(packet(twice(str('__proto__'), str('__proto__')))).fault).toBe('the key "__proto__" occurs twice')
})

it('names a duplicate key shortly and without control characters', () => {
  const key = str(`\u001b[2J\u009b${'x'.repeat(6000)}`)
  const { fault } = inspect(
    packet(
      map([
        [key, NIL],
        [key, NIL],
      ]),
    ),
  )
  expect(fault).toContain('\\u001b[2J\\u{9b}xxx')
  expect(fault?.length).toBeLessThan(150)
})

it.each<[string, Bytes]>([
  ['an overlong slash', [0xc0, 0xaf]],
  ['an overlong NUL', [0xc0, 0x80]],
  ['an overlong 3-byte form', [0xe0, 0x80, 0xaf]],
  ['an overlong 4-byte form', [0xf0, 0x80, 0x80, 0xaf]],
  ['a high surrogate', [0xed, 0xa0, 0x80]],
  ['a pair of surrogates', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['a continuation byte alone', [0x80]],
  ['a sequence cut by the string’s end', [0x61, 0xc3]],
  ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['0xff', [0xff]],
])('refuses %s as a string, as a key and in a long string', (_, bytes) => {
  const fault = 'a string is not valid UTF-8'
  expect(inspect(around(rawStr(bytes)))).toMatchObject({ fault, id: 7 })
  expect(inspect(around(map([[rawStr(bytes), NIL]])))).toMatchObject({ fault, id: 7 })
  expect(inspect(around(rawStr([...Array(300).fill(0x61), ...bytes])))).toMatchObject({ fault, id: 7 })
})

it('refuses a NUL in a string and in a key', () => {
  expect(inspect(around(str('a\0b')))).toMatchObject({ fault: 'a string holds a NUL', id: 7 })
  expect(inspect(around(map([[str('\0'), NIL]])))).toMatchObject({ fault: 'a string holds a NUL', id: 7 })
})

it('counts nesting from the outermost map: 6 passes, 7 does not', () => {
  const arrays = (depth: number): Bytes => (depth === 0 ? NIL : array([arrays(depth - 1)]))
  const maps = (depth: number): Bytes => (depth === 0 ? NIL : map([[str('k'), maps(depth - 1)]]))
  for (const nested of [arrays, maps]) {
    expect(inspect(around(nested(5)))).toMatchObject({ ...OK, id: 7 })
    expect(inspect(around(nested(6)))).toMatchObject({ ...DEEP, id: 7 })
    expect(inspect(around(nested(20)))).toMatchObject({ ...DEEP, id: 7 })
  }
})

it('walks 100,000 nested arrays or maps without exhausting the stack, and reads the id behind them', () => {
  const key = Uint8Array.from([0x81, 0xa1, 0x6b])
  for (const level of [Uint8Array.of(0x91), key, Uint8Array.from([0xdd, 0, 0, 0, 1])]) {
    const nested = Buffer.concat([
      packet([0x82], str('x')),
      ...Array(100_000).fill(level),
      packet(NIL, str('id'), int(9)),
    ])
    expect(inspect(nested)).toMatchObject({ ...DEEP, id: 9 })
  }
  expect(inspect(Buffer.concat([packet([0x81], str('x')), Buffer.alloc(100_000, 0x91)])).fault).toBe(DEEP.fault)
})

const TWO_32 = 0xffff_ffff
it.each<[string, Bytes]>([
  ['str 32', rawStr([], 32, TWO_32)],
  ['array 32', array([], 32, TWO_32)],
  ['map 32', map([], 32, TWO_32)],
  ['array 16', array([], 16, 0xffff)],
  ['map 16', map([], 16, 0xffff)],
  ['str 8', rawStr([], 8, 255)],
])('does not walk a length that %s merely claims', (_, bytes) => {
  expect(inspect(packet([0x81], str('x'), bytes))).toMatchObject(EARLY)
})

it('does not walk a length of 2^32 - 1 that the outermost map, a bin or an ext claims', () => {
  expect(inspect(packet(map([], 32, TWO_32)))).toMatchObject(EARLY)
  expect(inspect(packet([0x81], str('x'), [0xc6, 255, 255, 255, 255]))).toMatchObject({ fault: 'it holds binary data' })
  expect(inspect(packet([0x81], str('x'), [0xc9, 255, 255, 255, 255]))).toMatchObject({
    fault: 'it holds an extension type',
  })
})

it('refuses every proper beginning of a packet', () => {
  const whole = packet(
    fields({
      a: array([int(300), float64(1.5), float32(2)]),
      b: str('é', 16),
      c: map([[str('d', 8), int(1, 'u64')]], 32),
      id: int(1),
    }),
  )
  expect(inspect(whole)).toMatchObject(OK)
  for (let end = 1; end < whole.length; end++) expect(inspect(whole.subarray(0, end))).toMatchObject(EARLY)
})

it('reports the first fault of several', () => {
  expect(inspect(around(array([NEVER_USED, bin([1])]))).fault).toContain('0xc1')
})

it('names the outermost keys under which a float stands, each once', () => {
  const bytes = packet(
    fields({ a: float64(1), b: array([float32(1), array([float64(2)])]), c: int(1), d: map([[str('e'), float64(0)]]) }),
  )
  expect(inspect(bytes)).toMatchObject({ ...OK, floats: ['a', 'b', 'd'] })
})

it('reads a packet that begins inside a larger buffer', () => {
  const inner = packet(fields({ id: int(70_000), a: NIL }))
  expect(inspect(Buffer.concat([packet(NIL, NIL), inner]).subarray(2))).toMatchObject({ ...OK, id: 70_000 })
})

it('finds a key twice among many, in a nested map, and behind one', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i): [Bytes, Bytes] => [str(`key-${i}`), NIL])
  for (const count of [15, 16, 17, 200]) {
    expect(inspect(packet(map(many(count), 16)))).toMatchObject(OK)
    const last = str(`key-${count - 1}`, 8)
    const twice = { fault: `the key "key-${count - 1}" occurs twice` }
    expect(inspect(packet(map([...many(count), [last, NIL]], 16)))).toMatchObject(twice)
    expect(inspect(packet(map([...many(count), [str('x'), map(many(count), 16)], [last, NIL]], 16)))).toMatchObject(
      twice,
    )
  }
})

it('refuses the two keys of which msgpackr makes one', () => {
  const bytes = packet(
    map([
      [str('__proto_'), NIL],
      [str('__proto__'), NIL],
    ]),
  )
  expect(inspect(bytes).fault).toBe('the key "__proto__" occurs twice')
})
