import { expect, it } from 'vitest'
import { fields, float64, int, packet, str, value } from '../../test/support/msgpack.ts'
import { encode, encodeParts, joinParts } from './encode.ts'

const bytesOf = (message: object) => new Uint8Array(encode(message))

it.each([
  ['an answer', { id: 1, ok: true, lease: 17, state: 'granted' }],
  ['nil, booleans and empty containers', { a: null, b: true, c: false, d: [], e: {} }],
  ['integers at every width', { a: 127, b: 128, c: 255, d: 256, e: 65_535, f: 65_536, g: 4_294_967_295 }],
  [
    'negative integers at every width',
    { a: -1, b: -32, c: -33, d: -128, e: -129, f: -32_768, g: -32_769, h: -(2 ** 31) },
  ],
  [
    'strings at every width',
    { a: 'x'.repeat(31), b: 'x'.repeat(32), c: 'x'.repeat(255), d: 'x'.repeat(256), e: 'é'.repeat(20) },
  ],
  ['text of every length of UTF-8', { a: 'aé€😀', b: 'aé€😀'.repeat(30) }],
  ['a map of 16 keys', Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, i]))],
  ['an array of 16 items', { a: Array.from({ length: 16 }, (_, i) => ({ i })) }],
])('writes %s in the shortest form', (_, message) => {
  expect(bytesOf(message)).toEqual(packet(value(message)))
})

it('writes integers over 32 bits as int 64, never as floats', () => {
  const since = 1_763_758_800_000
  expect(bytesOf({ since, a: [2 ** 32], b: -(2 ** 31) - 1 })).toEqual(
    packet(fields({ since: int(since, 'i64'), a: [0x91, ...int(2 ** 32, 'i64')], b: int(-(2 ** 31) - 1, 'i64') })),
  )
})

it('writes a number beyond 2^53 as the float that it is', () => {
  expect(bytesOf({ a: 2 ** 60, b: 1e300, c: 1.5 })).toEqual(
    packet(fields({ a: float64(2 ** 60), b: float64(1e300), c: float64(1.5) })),
  )
})

it('leaves out keys without a value', () => {
  expect(bytesOf({ id: 1, notify: undefined, sockets: [{ unit: undefined, pid: 2 }] })).toEqual(
    packet(value({ id: 1, sockets: [{ pid: 2 }] })),
  )
})

it('never writes a NUL or half of a surrogate pair into a string', () => {
  expect(bytesOf({ command: 'a\0b\ud800c', label: '\udc00', ok: '😀' })).toEqual(
    packet(value({ command: 'a\ufffdb\ufffdc', label: '\ufffd', ok: '😀' })),
  )
})

it('keeps the bytes of one message when the next is written', () => {
  const first = encode({ id: 1 })
  const copy = Uint8Array.from(first)
  for (let i = 0; i < 5000; i++) encode({ id: i, text: 'x'.repeat(100) })
  expect(new Uint8Array(first)).toEqual(copy)
})

const socket = (port: number) => ({
  type: 'tcp',
  address: `tcp://127.0.0.1:${port}`,
  backlog: 511,
  cookie: '0000000000001001',
})
const sockets = (count: number) => Array.from({ length: count }, (_, i) => socket(i + 1))

it('answers in one packet, without part and parts, when it fits', () => {
  for (const count of [0, 1, 250]) {
    const answer = { id: 1, ok: true, sockets: sockets(count) }
    const [only, ...more] = encodeParts(answer, 'sockets', true)
    expect(more).toEqual([])
    expect(only).toMatchObject({ from: 0, to: count })
    expect(new Uint8Array(only!.bytes)).toEqual(packet(value(answer)))
  }
})

it('puts no more than 250 descriptors into one packet', () => {
  const answer = { id: 1, ok: true, lease: 3, sockets: sockets(501) }
  const parts = encodeParts(answer, 'sockets', true)
  expect(parts.map(({ from, to }) => [from, to])).toEqual([
    [0, 250],
    [250, 500],
    [500, 501],
  ])
  parts.forEach(({ bytes, from, to }, index) => {
    const message = { ...answer, sockets: answer.sockets.slice(from, to), part: index + 1, parts: 3 }
    expect(new Uint8Array(bytes)).toEqual(packet(value(message)))
  })
})

it('counts descriptors only where descriptors go along', () => {
  expect(encodeParts({ id: 1, sockets: sockets(300) }, 'sockets', false)).toHaveLength(1)
})

it('cuts a long list so that no packet exceeds 64 KiB and none is far from full', () => {
  for (const width of [1, 40, 700, 5000]) {
    const holders = Array.from({ length: Math.ceil(300_000 / width) }, (_, i) => ({
      lease: i,
      command: 'x'.repeat(width),
    }))
    const parts = encodeParts({ id: 2 ** 32 - 1, ok: true, holders }, 'holders', false)
    expect(parts.length).toBeGreaterThan(3)
    expect(parts.map(({ from }) => from).slice(1)).toEqual(parts.map(({ to }) => to).slice(0, -1))
    expect(parts.at(-1)!.to).toBe(holders.length)
    for (const { bytes } of parts) expect(bytes.length).toBeLessThanOrEqual(65_536)
    for (const { bytes } of parts.slice(0, -1)) expect(bytes.length).toBeGreaterThan(65_536 - width - 100)
  }
})

it('fills a packet to the last byte before it begins a second', () => {
  const answer = (size: number) => ({ id: 1, list: ['x'.repeat(60_000), 'y'.repeat(size)] })
  const spare = 65_536 - packet(value(answer(1000))).length
  expect(encodeParts(answer(1000 + spare), 'list', false)).toHaveLength(1)
  expect(encodeParts(answer(1001 + spare), 'list', false)).toHaveLength(2)
})

it('joins the parts of an answer to what it was', () => {
  const answer = { id: 1, ok: true, lease: 3, sockets: sockets(501) }
  const parts = encodeParts(answer, 'sockets', true)
  const received = parts.map(({ from, to }, i) => ({
    ...answer,
    sockets: answer.sockets.slice(from, to),
    part: i + 1,
    parts: 3,
  }))
  expect(joinParts(received)).toEqual(answer)
  expect(joinParts([answer])).toEqual(answer)
})

it('writes str headers by bytes, not by characters', () => {
  expect(bytesOf({ a: 'é'.repeat(16) })).toEqual(packet([0x81], str('a'), str('é'.repeat(16), 8)))
})
