import { expect, it } from 'vitest'
import {
  array,
  type Bytes,
  fields,
  float32,
  float64,
  int,
  map,
  NIL,
  packet,
  str,
  TRUE,
} from '../../test/support/msgpack.ts'
import { inspect } from './gate.ts'

const OK = { fault: undefined }
const EARLY = { fault: 'the packet ends too early' }

it.each(['u8', 'u16', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64'] as const)(
  'reads an id of width %s by its value',
  (width) => {
    expect(inspect(packet(fields({ id: int(100, width) })))).toMatchObject({ ...OK, id: 100 })
    expect(inspect(packet(map([[str('id', 32), int(100, width)]], 16)))).toMatchObject({ ...OK, id: 100 })
  },
)

it('reads the ids 0 and 2^32 - 1', () => {
  expect(inspect(packet(fields({ id: int(0) })))).toMatchObject({ id: 0 })
  expect(inspect(packet(fields({ id: int(2 ** 32 - 1) })))).toMatchObject({ id: 2 ** 32 - 1 })
  expect(inspect(packet(fields({ id: int(2 ** 32 - 1, 'i64') })))).toMatchObject({ id: 2 ** 32 - 1 })
})

it.each<[string, Bytes]>([
  ['-1', int(-1)],
  ['-1 in 8 bits', int(-1, 'i8')],
  ['-1 in 64 bits', int(-1, 'i64')],
  ['2^32', int(2 ** 32)],
  ['2^64 - 1', int(2n ** 64n - 1n)],
  ['the float 1.0', float64(1)],
  ['a float 32', float32(1)],
  ['a string', str('1')],
  ['nil', NIL],
  ['true', TRUE],
  ['an array', array([int(1)])],
  ['a map', map([])],
])('reads no id from %s', (_, id) => {
  expect(inspect(packet(fields({ id })))).toMatchObject({ ...OK, id: undefined })
})

it('takes the first of two ids, and none from a nested map', () => {
  expect(
    inspect(
      packet(
        map([
          [str('id'), int(1)],
          [str('id'), int(2)],
        ]),
      ),
    ),
  ).toMatchObject({ id: 1 })
  expect(inspect(packet(fields({ x: fields({ id: int(5) }) })))).toMatchObject({ ...OK, id: undefined })
})

it('reads no id that the packet’s end cuts', () => {
  expect(inspect(packet([0x81], str('id'), [0xce, 0, 0]))).toMatchObject({ ...EARLY, id: undefined })
  expect(inspect(packet([0x81], str('id')))).toMatchObject({ ...EARLY, id: undefined })
})
