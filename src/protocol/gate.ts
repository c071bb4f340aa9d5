// The structural gate. msgpackr decodes extension types, records and binaries whatever its options say, so a packet is walked
// before it is decoded: one map with string keys, built of nil, bool, int, float, str, array and map only, no deeper than
// NESTING_MAX, no duplicate key, every string valid UTF-8 without NUL, and not one byte more.
//
// The walk goes on behind a fault as long as the structure can be followed, because an error is answered whenever the
// packet's `id` can be read. It allocates nothing in proportion to a length that the packet merely claims.

import { isUtf8 } from 'node:buffer'
import { NESTING_MAX } from './limits.ts'
import { quote } from './quote.ts'

export interface Inspection {
  /** What is malformed, first fault first; undefined when the packet may be decoded. */
  fault: string | undefined
  /** The outermost map's `id` when it is a uint32 that could be read. */
  id: number | undefined
  /** Outermost keys under which a float occurs: no request has one, and msgpackr does not tell 1.0 from 1. */
  floats: string[]
}

const UINT32_MAX = 0xffff_ffff

export function inspect(bytes: Uint8Array): Inspection {
  const walk = new Walk(bytes)
  walk.message()
  return walk
}

class Walk implements Inspection {
  fault: string | undefined = undefined
  id: number | undefined = undefined
  floats: string[] = []
  private at = 0
  private key = ''
  private skipping = false
  private pending = 0
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  message(): void {
    const first = this.bytes[0]
    if (first === undefined) return this.fail('the packet is empty')
    if (!((first & 0xf0) === 0x80 || first === 0xde || first === 0xdf)) return this.fail('the packet is not a map')
    this.value(1)
    if (this.at < this.bytes.length) this.fail('bytes follow the map')
  }

  private fail(fault: string): void {
    this.fault ??= fault
  }

  /** Ends the walk: the packet is shorter than it says. */
  private truncated(): void {
    this.fail('the packet ends too early')
    this.at = Number.POSITIVE_INFINITY
  }

  private uint(size: 1 | 2 | 4): number {
    let value = 0
    for (let end = this.at + size; this.at < end; this.at++) value = value * 256 + (this.bytes[this.at] ?? 0)
    if (this.at > this.bytes.length) this.truncated()
    return value
  }

  private advance(size: number): void {
    this.at += size
    if (this.at > this.bytes.length) this.truncated()
  }

  /** Walks one value whose containers, if it is one, are at nesting `depth`. */
  private value(depth: number): void {
    const type = this.bytes[this.at]
    if (type === undefined) return this.truncated()
    this.at++
    if (type <= 0x7f || type >= 0xe0) return
    if (type <= 0x8f) return this.map(type & 0x0f, depth)
    if (type <= 0x9f) return this.array(type & 0x0f, depth)
    if (type <= 0xbf) return this.string(type & 0x1f)
    switch (type) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return
      case 0xca: // float 32
      case 0xcb: // float 64
        if (this.floats.at(-1) !== this.key) this.floats.push(this.key)
        return this.advance(type === 0xca ? 4 : 8)
      case 0xcc: // uint 8, 16, 32, 64
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.advance(1 << (type - 0xcc))
      case 0xd0: // int 8, 16, 32, 64
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.advance(1 << (type - 0xd0))
      case 0xd9: // str 8, 16, 32
        return this.string(this.uint(1))
      case 0xda:
        return this.string(this.uint(2))
      case 0xdb:
        return this.string(this.uint(4))
      case 0xdc: // array 16, 32
        return this.array(this.uint(2), depth)
      case 0xdd:
        return this.array(this.uint(4), depth)
      case 0xde: // map 16, 32
        return this.map(this.uint(2), depth)
      case 0xdf:
        return this.map(this.uint(4), depth)
      case 0xc4: // bin 8, 16, 32
      case 0xc5:
      case 0xc6:
        this.fail('it holds binary data')
        return this.advance(this.uint(type === 0xc4 ? 1 : type === 0xc5 ? 2 : 4))
      case 0xc7: // ext 8, 16, 32
      case 0xc8:
      case 0xc9:
        this.fail('it holds an extension type')
        return this.advance(this.uint(type === 0xc7 ? 1 : type === 0xc8 ? 2 : 4) + 1)
      case 0xd4: // fixext 1, 2, 4, 8, 16
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        this.fail('it holds an extension type')
        return this.advance((1 << (type - 0xd4)) + 1)
      default: // 0xc1, never used
        this.fail('it holds the byte 0xc1, which MessagePack never uses')
    }
  }

  private string(length: number): void {
    const start = this.at
    this.advance(length)
    if (this.at > this.bytes.length) return
    let ascii = true
    for (let at = start; at < this.at; at++) {
      const byte = this.bytes[at]!
      if (byte === 0) return this.fail('a string holds a NUL')
      if (byte >= 0x80) ascii = false
    }
    if (!ascii && !isUtf8(this.bytes.subarray(start, this.at))) this.fail('a string is not valid UTF-8')
  }

  private array(count: number, depth: number): void {
    if (depth > NESTING_MAX) return this.tooDeep(count)
    for (let i = 0; i < count && this.at <= this.bytes.length; i++) this.value(depth + 1)
  }

  private map(count: number, depth: number): void {
    if (depth > NESTING_MAX) return this.tooDeep(count * 2)
    const seen = new Set<string>()
    for (let i = 0; i < count && this.at <= this.bytes.length; i++) {
      const key = this.mapKey(depth)
      if (key !== undefined) {
        if (seen.has(key)) this.fail(`the key ${quote(Buffer.from(key, 'latin1').toString())} occurs twice`)
        seen.add(key)
        if (depth === 1) this.topLevel(key)
      }
      this.value(depth + 1)
    }
  }

  /** Skips what stands too deep without recursion, so that no packet can exhaust the stack. */
  private tooDeep(values: number): void {
    this.fail(`it is nested deeper than ${NESTING_MAX}`)
    if (this.skipping) {
      this.pending += values
      return
    }
    this.skipping = true
    for (this.pending = values; this.pending > 0 && this.at <= this.bytes.length; this.pending--) {
      this.value(NESTING_MAX + 1)
    }
    this.skipping = false
  }

  /** The bytes of the key that begins here, one character each, or undefined (and a fault) when it is not a string. */
  private mapKey(depth: number): string | undefined {
    const type = this.bytes[this.at] ?? 0
    const isString = (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb)
    if (!isString && this.at < this.bytes.length) this.fail('a key is not a string')
    const start = this.at + (type <= 0xbf ? 1 : 1 + (1 << (type - 0xd9)))
    this.value(depth + 1)
    if (!isString || this.at > this.bytes.length) return undefined
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, this.at - start).toString('latin1')
  }

  private topLevel(key: string): void {
    this.key = key
    if (key === 'id' && this.id === undefined) this.id = this.peekUint32()
  }

  private peekUint32(): number | undefined {
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    const type = this.bytes[this.at] ?? 0xc0
    const size = type <= 0x7f ? 0 : type >= 0xcc && type <= 0xd3 ? 1 << ((type - 0xcc) & 3) : -1
    if (size < 0 || this.at + 1 + size > this.bytes.length) return undefined
    const value = size === 0 ? type : readInteger(view, type, this.at + 1)
    return value >= 0 && value <= UINT32_MAX ? value : undefined
  }
}

function readInteger(view: DataView, type: number, at: number): number {
  switch (type) {
    case 0xcc:
      return view.getUint8(at)
    case 0xcd:
      return view.getUint16(at)
    case 0xce:
      return view.getUint32(at)
    case 0xcf:
      return Number(view.getBigUint64(at))
    case 0xd0:
      return view.getInt8(at)
    case 0xd1:
      return view.getInt16(at)
    case 0xd2:
      return view.getInt32(at)
    default:
      return Number(view.getBigInt64(at))
  }
}
