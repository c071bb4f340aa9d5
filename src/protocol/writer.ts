// Values to MessagePack, each in its shortest form, as docs/protocol.md shows it.

/** Bytes of one pool, from which messages are cut until it is used up: a message stays what it is when the next is written. */
const POOL = 16_384
const FLOAT_BYTES = 9
/** Loops over characters beat a call of the runtime up to about this length. */
const SHORT = 64
const TWO_32 = 2 ** 32
/** A command line that some process chose could bring these into a string. */
const UNWRITABLE = /[\0\p{Surrogate}]/gu

let pool = Buffer.allocUnsafeSlow(POOL)
let start = 0
let at = 0

export function write(message: object): Uint8Array {
  at = start
  value(message)
  const bytes = pool.subarray(start, at)
  start = at
  return bytes
}

/** Makes room, moving what is written of this message to a new pool where the old one has none. */
function reserve(size: number): void {
  if (at + size <= pool.length) return
  const written = at - start
  const next = Buffer.allocUnsafeSlow(Math.max(POOL, 2 * (written + size)))
  pool.copy(next, 0, start, at)
  pool = next
  start = 0
  at = written
}

function value(item: unknown): void {
  switch (typeof item) {
    case 'string':
      return text(item)
    case 'number':
      return number(item)
    case 'bigint':
      return big(item)
    case 'boolean':
      return byte(item ? 0xc3 : 0xc2)
    case 'object':
      if (item === null) return byte(0xc0)
      return Array.isArray(item) ? array(item) : map(item as Record<string, unknown>)
    default:
      throw new TypeError(`a ${typeof item} has no place in a message`)
  }
}

function byte(item: number): void {
  reserve(1)
  pool[at++] = item
}

function number(item: number): void {
  if (!Number.isSafeInteger(item)) {
    reserve(FLOAT_BYTES)
    pool[at++] = 0xcb
    at = pool.writeDoubleBE(item, at)
  } else if (item >= 0) unsigned(item)
  else negative(item)
}

function unsigned(item: number): void {
  if (item < 0x80) return byte(item)
  if (item < 0x100) return integer(0xcc, item, 1)
  if (item < 0x1_0000) return integer(0xcd, item, 2)
  if (item < TWO_32) return integer(0xce, item, 4)
  wide(item)
}

function negative(item: number): void {
  if (item >= -0x20) return byte(item & 0xff)
  if (item >= -0x80) return integer(0xd0, item & 0xff, 1)
  if (item >= -0x8000) return integer(0xd1, item & 0xffff, 2)
  if (item >= -0x8000_0000) return integer(0xd2, item >>> 0, 4)
  wide(item)
}

/** As int 64, never as a float. */
function wide(item: number): void {
  integer(0xd3, Math.floor(item / TWO_32) >>> 0, 4)
  reserve(4)
  at = pool.writeUInt32BE(((item % TWO_32) + TWO_32) % TWO_32, at)
}

/** What the gate reads as one: an integer that no number holds exactly. */
function big(item: bigint): void {
  byte(item > 0n ? 0xcf : 0xd3)
  reserve(8)
  at = pool.writeBigUInt64BE(BigInt.asUintN(64, item), at)
}

/** Writes a type and an unsigned integer of that size. */
function integer(type: number, item: number, size: 1 | 2 | 4): void {
  reserve(5)
  pool[at++] = type
  for (let shift = 8 * (size - 1); shift >= 0; shift -= 8) pool[at++] = (item >>> shift) & 0xff
}

function header(length: number, fix: number, fixMax: number, types: readonly [number, number, number]): void {
  if (length <= fixMax) return byte(fix | length)
  const [eight, sixteen, thirtyTwo] = types
  if (length < 0x100 && eight > 0) integer(eight, length, 1)
  else if (length < 0x1_0000) integer(sixteen, length, 2)
  else integer(thirtyTwo, length, 4)
}

const STRING = [0xd9, 0xda, 0xdb] as const
// Arrays and maps have no 8-bit header.
const ARRAY = [0, 0xdc, 0xdd] as const
const MAP = [0, 0xde, 0xdf] as const

function text(item: string): void {
  if (item.length <= SHORT && shortAscii(item)) return
  const writable = item.replaceAll(UNWRITABLE, '\ufffd')
  const length = Buffer.byteLength(writable)
  header(length, 0xa0, 31, STRING)
  reserve(length)
  at += pool.write(writable, at)
}

/** False, and nothing written, when a character takes more than a byte or must not be written. */
function shortAscii(item: string): boolean {
  reserve(SHORT + 2)
  const before = at
  header(item.length, 0xa0, 31, STRING)
  for (let i = 0; i < item.length; i++) {
    const code = item.charCodeAt(i)
    if (code === 0 || code >= 0x80) {
      at = before
      return false
    }
    pool[at++] = code
  }
  return true
}

function array(items: readonly unknown[]): void {
  header(items.length, 0x90, 15, ARRAY)
  for (const item of items) value(item)
}

/** Keys without a value are left out. */
function map(items: Record<string, unknown>): void {
  let count = 0
  for (const key of Object.keys(items)) if (items[key] !== undefined) count++
  header(count, 0x80, 15, MAP)
  for (const key of Object.keys(items)) {
    const item = items[key]
    if (item === undefined) continue
    text(key)
    value(item)
  }
}
