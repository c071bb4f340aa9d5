// Messages to bytes. An answer too long for one packet goes in several: same id, `part` of `parts`, each a slice of its array.

import { Packr } from 'msgpackr/pack'
import { FDS_PER_PACKET, REPLY_MAX } from './limits.ts'
import { asFloat, plain } from './plain.ts'

// variableMapSize: every map in its shortest form, as docs/protocol.md shows it.
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  structuredClone: false,
  int64AsType: 'auto',
  variableMapSize: true,
})

/** Room for `part` and `parts` beside the fields that every part repeats. */
const PART_OVERHEAD = 32

export function encode(message: object): Uint8Array {
  return packr.pack(plain(message))
}

/** For what only this program reads. */
export function encodeOwn(value: object): Uint8Array {
  return packr.pack(plain(value, asFloat))
}

export interface Part {
  bytes: Uint8Array
  /** The slice of the array (and so of the descriptors that go with it) in this packet. */
  from: number
  to: number
}

/** Encodes an answer whose array `key` may need several packets; `withFds`: one descriptor goes along per entry. */
export function encodeParts(message: Record<string, unknown>, key: string, withFds: boolean): Part[] {
  const items = message[key] as unknown[]
  const whole = encode(message)
  if (whole.length <= REPLY_MAX && !(withFds && items.length > FDS_PER_PACKET)) {
    return [{ bytes: whole, from: 0, to: items.length }]
  }
  const sizes = items.map((item) => encode(item as object).length)
  const slices = slice(sizes, roomBeside(message, key), withFds)
  return slices.map((slice, index) => encodePart(message, key, slice, index + 1, slices.length))
}

type Slice = Pick<Part, 'from' | 'to'>

function roomBeside(message: Record<string, unknown>, key: string): number {
  return REPLY_MAX - encode({ ...message, [key]: [] }).length - PART_OVERHEAD
}

function encodePart(
  message: Record<string, unknown>,
  key: string,
  { from, to }: Slice,
  part: number,
  parts: number,
): Part {
  const items = (message[key] as unknown[]).slice(from, to)
  return { bytes: encode({ ...message, [key]: items, part, parts }), from, to }
}

function slice(sizes: readonly number[], room: number, withFds: boolean): Slice[] {
  const slices: Slice[] = []
  let from = 0
  let size = 0
  for (const [at, length] of sizes.entries()) {
    const full = size + length > room || (withFds && at - from === FDS_PER_PACKET)
    if (full && at > from) {
      slices.push({ from, to: at })
      from = at
      size = 0
    }
    size += length
  }
  slices.push({ from, to: sizes.length })
  return slices
}

/** Puts the parts of an answer together again, in the order of their numbers. */
export function joinParts(parts: readonly Record<string, unknown>[]): Record<string, unknown> {
  const { part: _part, parts: _parts, ...joined } = parts[0] ?? {}
  for (const next of parts.slice(1)) {
    for (const [key, value] of Object.entries(next)) {
      const before = joined[key]
      if (Array.isArray(value) && Array.isArray(before)) joined[key] = [...before, ...value]
    }
  }
  return joined
}
