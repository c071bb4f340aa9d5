// The structural gate. msgpackr decodes extension types, records and binaries whatever its options say, so a packet is walked
// before it is decoded: one map with string keys, built of nil, bool, int, float, str, array and map only, no deeper than
// NESTING_MAX, no duplicate key, every string valid UTF-8 without NUL, and not one byte more.
//
// The walk goes on behind a fault as long as the structure can be followed, because an error is answered whenever the
// packet's `id` can be read. It makes no value of what it passes, and allocates nothing in proportion to a length that the
// packet merely claims.

import { isUtf8 } from 'node:buffer'
import { Keys, spells, textAt } from './gate-keys.ts'
import { NESTING_MAX } from './limits.ts'
import { quote } from './quote.ts'

export interface Inspection {
  /** What is malformed, first fault first; undefined when the packet may be decoded. */
  readonly fault: string | undefined
  /** The outermost map's `id` when it is a uint32 that could be read. */
  readonly id: number | undefined
  /** Outermost keys under which a float occurs: no request has one, and JavaScript does not tell 1.0 from 1. */
  readonly floats: readonly string[]
}

const UINT32_MAX = 0xffff_ffff
const NONE: readonly string[] = []
const ID = Buffer.from('id')

const keys = new Keys()
const NOTHING = new Uint8Array()

// Of the one walk there is: it never waits, and nothing it calls begins another.
let bytes: Uint8Array = NOTHING
let at = 0
let fault: string | undefined
let id: number | undefined
let floats = NONE
/** Where the outermost key under which the walk is begins and ends. */
let keyStart = 0
let keyEnd = 0
/** Values still to be skipped where the walk has gone too deep; -1 where it has not. */
let pending = -1

export function inspect(packet: Uint8Array): Inspection {
  bytes = packet
  at = 0
  fault = undefined
  id = undefined
  floats = NONE
  keyStart = 0
  keyEnd = 0
  pending = -1
  keys.clear()
  message()
  bytes = NOTHING
  return { fault, id, floats }
}

function message(): void {
  const first = bytes[0]
  if (first === undefined) return fail('the packet is empty')
  if (!((first & 0xf0) === 0x80 || first === 0xde || first === 0xdf)) return fail('the packet is not a map')
  value(1)
  if (at < bytes.length) fail('bytes follow the map')
}

function fail(text: string): void {
  fault ??= text
}

function advance(size: number): void {
  at += size
  if (at > bytes.length) truncated()
}

/** Ends the walk: the packet is shorter than it says. */
function truncated(): void {
  fail('the packet ends too early')
  at = Number.MAX_SAFE_INTEGER
}

function uint(size: number): number {
  let number = 0
  for (const end = at + size; at < end; at++) number = number * 256 + (bytes[at] ?? 0)
  if (at > bytes.length) truncated()
  return number
}

/** Walks one value whose containers, if it is one, are at nesting `depth`. */
function value(depth: number): void {
  const type = bytes[at]
  if (type === undefined) return truncated()
  at++
  if (type <= 0x7f || type >= 0xe0) return
  if (type <= 0x8f) return map(type & 0x0f, depth)
  if (type <= 0x9f) return array(type & 0x0f, depth)
  if (type <= 0xbf) return string(type & 0x1f)
  switch (type) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return
    case 0xca: // float 32, 64
    case 0xcb:
      noteFloat()
      return advance(4 << (type - 0xca))
    case 0xcc: // uint 8, 16, 32, 64
    case 0xcd:
    case 0xce:
    case 0xcf:
      return advance(1 << (type - 0xcc))
    case 0xd0: // int 8, 16, 32, 64
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return advance(1 << (type - 0xd0))
    case 0xd9: // str 8, 16, 32
    case 0xda:
    case 0xdb:
      return string(uint(1 << (type - 0xd9)))
    case 0xdc: // array 16, 32
    case 0xdd:
      return array(uint(2 << (type - 0xdc)), depth)
    case 0xde: // map 16, 32
    case 0xdf:
      return map(uint(2 << (type - 0xde)), depth)
    default:
      return foreign(type)
  }
}

/** Steps over what the protocol does not have. */
function foreign(type: number): void {
  if (type === 0xc1) return fail('it holds the byte 0xc1, which MessagePack never uses')
  if (type <= 0xc6) {
    fail('it holds binary data')
    return advance(uint(1 << (type - 0xc4))) // bin 8, 16, 32
  }
  fail('it holds an extension type')
  // ext 8, 16, 32 say their length; fixext are 1, 2, 4, 8, 16 bytes. A byte for the type comes before.
  advance((type <= 0xc9 ? uint(1 << (type - 0xc7)) : 1 << (type - 0xd4)) + 1)
}

function noteFloat(): void {
  const key = textAt(bytes, keyStart, keyEnd)
  if (floats.at(-1) !== key) floats = [...floats, key]
}

function string(length: number): void {
  const start = at
  advance(length)
  if (at > bytes.length) return
  let every = 0
  for (let i = start; i < at; i++) {
    const byte = bytes[i]!
    if (byte === 0) return fail('a string holds a NUL')
    every |= byte
  }
  if (every >= 0x80 && !isUtf8(bytes.subarray(start, at))) fail('a string is not valid UTF-8')
}

function array(count: number, depth: number): void {
  if (depth > NESTING_MAX) return tooDeep(count)
  for (let i = 0; i < count && at <= bytes.length; i++) value(depth + 1)
}

function map(count: number, depth: number): void {
  if (depth > NESTING_MAX) return tooDeep(count * 2)
  const before = keys.open()
  for (let i = 0; i < count && at <= bytes.length; i++) entry(depth)
  keys.close(before)
}

function entry(depth: number): void {
  const type = bytes[at] ?? 0
  const header = type <= 0xbf ? 1 : 1 + (1 << (type - 0xd9))
  const isString = (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb)
  if (!isString && at < bytes.length) fail('a key is not a string')
  const start = at + header
  value(depth + 1)
  const end = at
  if (!isString || end > bytes.length) return value(depth + 1)
  if (fault === undefined && !keys.add(bytes, start, end))
    fail(`the key ${quote(textAt(bytes, start, end))} occurs twice`)
  if (depth > 1) return value(depth + 1)
  keyStart = start
  keyEnd = end
  value(depth + 1)
  if (id === undefined && at <= bytes.length && spells(bytes, start, end, ID)) id = idAt(end)
}

function idAt(start: number): number | undefined {
  const type = bytes[start]!
  if (type <= 0x7f) return type
  if (type < 0xcc || type > 0xd3) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + start + 1, at - start - 1)
  const number = INTEGERS[type - 0xcc]!(view)
  return number >= 0 && number <= UINT32_MAX ? number : undefined
}

const INTEGERS: readonly ((view: DataView) => number)[] = [
  (view) => view.getUint8(0),
  (view) => view.getUint16(0),
  (view) => view.getUint32(0),
  (view) => Number(view.getBigUint64(0)),
  (view) => view.getInt8(0),
  (view) => view.getInt16(0),
  (view) => view.getInt32(0),
  (view) => Number(view.getBigInt64(0)),
]

/** Skips what stands too deep without recursion, so that no packet can exhaust the stack. */
function tooDeep(values: number): void {
  fail(`it is nested deeper than ${NESTING_MAX}`)
  if (pending >= 0) {
    pending += values
    return
  }
  for (pending = values; pending > 0 && at <= bytes.length; pending--) value(NESTING_MAX + 1)
  pending = -1
}
