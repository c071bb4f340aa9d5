import fc from 'fast-check'
import { expect, it } from 'vitest'
import { packet, value } from '../../test/support/msgpack.ts'
import { decodeMessage } from './decode.ts'
import { joinParts } from './encode.ts'
import { REPLY_MAX } from './limits.ts'
import { LongAnswer } from './long-answer.ts'

function packetsOf(head: Record<string, unknown>, key: string, items: readonly object[]): Uint8Array[] {
  const answer = new LongAnswer(head, key)
  for (const item of items) answer.add(item)
  return [...answer.end()]
}

const holders = (count: number, width: number) =>
  Array.from({ length: count }, (_, i) => ({ lease: i, command: 'x'.repeat(width) }))

it.each([0, 1, 15, 16, 17, 1000])(
  'writes an answer of %i items that fits as one packet, without part and parts',
  (count) => {
    const names = Array.from({ length: count }, (_, i) => ({ name: `n${i}` }))
    const [only, ...more] = packetsOf({ id: 7, ok: true, unseen: 3 }, 'sockets', names)
    expect(more).toEqual([])
    expect(new Uint8Array(only!)).toEqual(packet(value({ id: 7, ok: true, unseen: 3, sockets: names })))
  },
)

it('counts as many items as a packet can have', () => {
  const parts = packetsOf(
    { id: 1 },
    'x',
    Array.from({ length: 70_000 }, () => []),
  )
  const received = parts.map((bytes) => decodeMessage(bytes, false))
  expect(joinParts(received)).toEqual({ id: 1, x: Array.from({ length: 70_000 }, () => []) })
  expect(parts[0]!.length).toBeGreaterThan(REPLY_MAX - 20)
})

it.each([1, 40, 700, 5000])(
  'cuts a long list of items of %i bytes so that no packet exceeds 64 KiB and none is far from full',
  (width) => {
    const items = holders(Math.ceil(300_000 / width), width)
    const parts = packetsOf({ id: 2 ** 32 - 1, ok: true }, 'holders', items)
    expect(parts.length).toBeGreaterThan(3)
    for (const bytes of parts) expect(bytes.length).toBeLessThanOrEqual(REPLY_MAX)
    for (const bytes of parts.slice(0, -1)) expect(bytes.length).toBeGreaterThan(REPLY_MAX - width - 100)
  },
)

it('is what it was when its parts are joined', () => {
  const item = fc.record({ name: fc.string(), n: fc.integer(), text: fc.string({ minLength: 300, maxLength: 3000 }) })
  fc.assert(
    fc.property(fc.array(item, { maxLength: 120 }), fc.nat(2 ** 32 - 1), (items, id) => {
      const received = packetsOf({ id, ok: true }, 'events', items).map((bytes) => decodeMessage(bytes, false))
      expect(received.map(({ part, parts }) => [part, parts])).toEqual(
        received.map((_, i) => (received.length === 1 ? [undefined, undefined] : [i + 1, received.length])),
      )
      expect(joinParts(received)).toEqual({ id, ok: true, events: items })
    }),
    { numRuns: 50 },
  )
})

it('ends with a packet that takes no more memory than it is long', () => {
  // What Node takes small buffers from: some bytes longer than Buffer.poolSize in Node 26.
  const pool = Buffer.allocUnsafe(1).buffer.byteLength
  for (const count of [1, 100]) {
    const last = packetsOf({ id: 1 }, 'holders', holders(count, 1000)).at(-1)!
    expect(last.buffer.byteLength).toBeLessThanOrEqual(Math.max(last.length, pool))
  }
})
