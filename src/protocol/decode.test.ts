import { expect, it } from 'vitest'
import { type Bytes, ext, fields, float64, int, map, NIL, packet, str, value } from '../../test/support/msgpack.ts'
import { decodeMessage, decodeRequest } from './decode.ts'
import { BrokerError } from './errors.ts'

it('decodes a request that another encoder wrote', () => {
  const bytes = packet(
    fields({ id: int(1, 'u64'), op: str('acquire', 16), name: str('web', 32), wait: int(-1, 'i32') }),
  )
  expect(decodeRequest(bytes, false)).toEqual({
    id: 1,
    body: { id: 1, op: 'acquire', name: 'web', wait: -1 },
    floats: [],
  })
})

it('says where a float was, also one that looks like an integer', () => {
  const bytes = packet(fields({ id: int(1), op: str('ready'), lease: float64(3) }))
  expect(decodeRequest(bytes, false)).toEqual({ id: 1, body: { id: 1, op: 'ready', lease: 3 }, floats: ['lease'] })
})

it('gives integers beyond 2^53 as they are, not rounded', () => {
  const bytes = packet(fields({ id: int(1), lease: int(2n ** 64n - 1n) }))
  expect(decodeRequest(bytes, false)).toMatchObject({ body: { lease: 2n ** 64n - 1n } })
})

it('answers a malformed request with its id when that could be read', () => {
  const bytes = packet(fields({ x: ext(-1, [0, 0, 0, 1]), id: int(4) }))
  expect(decodeRequest(bytes, false)).toEqual({ id: 4, fault: 'it holds an extension type' })
  expect(decodeRequest(packet(NIL), false)).toEqual({ id: undefined, fault: 'the packet is not a map' })
})

it.each<[string, Bytes]>([
  ['no id', fields({ op: str('list') })],
  ['a negative id', fields({ id: int(-1) })],
  ['an id above 2^32 - 1', fields({ id: int(2 ** 32) })],
  ['a float id', fields({ id: float64(1) })],
  ['a string id', fields({ id: str('1') })],
])('refuses a request with %s', (_, bytes) => {
  expect(decodeRequest(packet(bytes), false)).toEqual({
    id: undefined,
    fault: 'it has no `id` that is an unsigned 32-bit integer',
  })
})

it('takes a request of 16,384 bytes and refuses one of 16,385, reading the id at its beginning', () => {
  const request = (size: number) => packet(value({ id: 8, x: 'y'.repeat(size - 10) }))
  expect(request(16_384)).toHaveLength(16_384)
  expect(decodeRequest(request(16_384), false)).toMatchObject({ id: 8, floats: [] })
  const fault = 'the packet is longer than 16384 bytes'
  expect(decodeRequest(request(16_385), false)).toEqual({ id: 8, fault })
  expect(decodeRequest(request(16_385).subarray(0, 16_384), true)).toEqual({ id: 8, fault })
  expect(decodeRequest(packet(value({ id: 8 })), true)).toEqual({ id: 8, fault })
})

it('never lets a key reach a prototype', () => {
  const bytes = packet(
    map([
      [str('id'), int(1)],
      [str('__proto__'), value({ op: 'shutdown' })],
      [str('constructor'), NIL],
    ]),
  )
  const decoded = decodeRequest(bytes, false)
  if ('fault' in decoded) throw new Error(decoded.fault)
  expect(Object.getPrototypeOf(decoded.body)).toBe(Object.prototype)
  expect(decoded.body.op).toBeUndefined()
  expect(Object.keys(decoded.body)).not.toContain('__proto__')
  expect(decoded.body.constructor).toBeNull()
})

it('decodes an answer of up to 65,536 bytes', () => {
  const answer = (size: number) => packet(value({ id: 8, x: 'y'.repeat(size - 10) }))
  expect(decodeMessage(answer(65_536), false)).toMatchObject({ id: 8 })
  expect(() => decodeMessage(answer(65_537), false)).toThrow('longer than 65536 bytes')
  expect(() => decodeMessage(answer(100), true)).toThrow('longer than 65536 bytes')
})

it('throws PROTOCOL for a malformed answer', () => {
  try {
    decodeMessage(packet(fields({ id: int(1), x: ext(1, [1]) })), false)
    expect.unreachable()
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError)
    expect(error).toMatchObject({ code: 'PROTOCOL', message: expect.stringContaining('extension type') })
  }
})
