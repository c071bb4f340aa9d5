// Bytes to values, through a gate: one map with string keys, built of nil, bool, int, float, str, array and map only, no deeper than
// NESTING_MAX, no duplicate key, every string valid UTF-8 without NUL, and not one byte more. A decoder of all of MessagePack has to
// be guarded against extension types, records and binaries; this one has no code for them.
//
// The walk goes on behind a fault as long as the structure can be followed, because an error is answered whenever the
// packet's `id` can be read; then it keeps nothing but that. It allocates nothing in proportion to a length that the packet merely
// claims.

import { NESTING_MAX } from './limits.ts'
import { quote } from './quote.ts'
import { readText } from './short-text.ts'

export interface Inspection {
  /** What is malformed, first fault first; undefined when `values` may be used. */
  fault: string | undefined
  /** The outermost map's `id` when it is a uint32 that could be read. */
  id: number | undefined
  /** Outermost keys under which a float occurs: no request has one, and JavaScript does not tell 1.0 from 1. */
  floats: readonly string[]
  values: Record<string, unknown>
}

const ID = 'id'
const UINT32_MAX = 0xffff_ffff
const EXACT_MAX = 2 ** 53
const NONE: readonly string[] = []

export function inspect(bytes: Uint8Array): Inspection {
  const walk = new Walk(bytes)
  walk.message()
  return walk
}

class Walk implements Inspection {
  fault: string | undefined = undefined
  id: number | undefined = undefined
  floats: readonly string[] = NONE
  values: Record<string, unknown> = {}
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
    this.values = this.value(1) as Record<string, unknown>
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

  private uint(size: number): number {
    let value = 0
    for (let end = this.at + size; this.at < end; this.at++) value = value * 256 + (this.bytes[this.at] ?? 0)
    if (this.at > this.bytes.length) this.truncated()
    return value
  }

  private int(size: number): number {
    const value = this.uint(size)
    const limit = 2 ** (size * 8 - 1)
    return value < limit ? value : value - 2 * limit
  }

  /** A bigint where a number would not be exact. */
  private wide(signed: boolean): number | bigint {
    const high = signed ? this.int(4) : this.uint(4)
    const low = this.uint(4)
    const value = high * 2 ** 32 + low
    if (Math.abs(value) < EXACT_MAX) return value
    const exact = (BigInt(high) << 32n) | BigInt(low)
    return exact === BigInt(EXACT_MAX) || exact === -BigInt(EXACT_MAX) ? Number(exact) : exact
  }

  private float(size: 4 | 8): number {
    if (this.floats.at(-1) !== this.key) this.floats = [...this.floats, this.key]
    const start = this.at
    this.advance(size)
    if (this.at > this.bytes.length) return 0
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + start, size)
    return size === 4 ? view.getFloat32(0) : view.getFloat64(0)
  }

  private advance(size: number): void {
    this.at += size
    if (this.at > this.bytes.length) this.truncated()
  }

  /** Walks one value whose containers, if it is one, are at nesting `depth`. */
  private value(depth: number): unknown {
    const type = this.bytes[this.at]
    if (type === undefined) return this.truncated()
    this.at++
    if (type <= 0x7f) return type
    if (type >= 0xe0) return type - 0x100
    if (type <= 0x8f) return this.map(type & 0x0f, depth)
    if (type <= 0x9f) return this.array(type & 0x0f, depth)
    if (type <= 0xbf) return this.string(type & 0x1f)
    switch (type) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xca:
        return this.float(4)
      case 0xcb:
        return this.float(8)
      case 0xcc: // uint 8, 16, 32
      case 0xcd:
      case 0xce:
        return this.uint(1 << (type - 0xcc))
      case 0xcf:
        return this.wide(false)
      case 0xd0: // int 8, 16, 32
      case 0xd1:
      case 0xd2:
        return this.int(1 << (type - 0xd0))
      case 0xd3:
        return this.wide(true)
      case 0xd9: // str 8, 16, 32
      case 0xda:
      case 0xdb:
        return this.string(this.uint(1 << (type - 0xd9)))
      case 0xdc: // array 16, 32
      case 0xdd:
        return this.array(this.uint(2 << (type - 0xdc)), depth)
      case 0xde: // map 16, 32
      case 0xdf:
        return this.map(this.uint(2 << (type - 0xde)), depth)
      default:
        return this.foreign(type)
    }
  }

  /** Steps over what the protocol does not have. */
  private foreign(type: number): void {
    if (type === 0xc1) return this.fail('it holds the byte 0xc1, which MessagePack never uses')
    if (type <= 0xc6) {
      this.fail('it holds binary data')
      return this.advance(this.uint(1 << (type - 0xc4))) // bin 8, 16, 32
    }
    this.fail('it holds an extension type')
    // ext 8, 16, 32 say their length; fixext are 1, 2, 4, 8, 16 bytes. A byte for the type comes before.
    this.advance((type <= 0xc9 ? this.uint(1 << (type - 0xc7)) : 1 << (type - 0xd4)) + 1)
  }

  private string(length: number): string | undefined {
    const start = this.at
    this.advance(length)
    if (this.at > this.bytes.length || (this.fault !== undefined && length !== ID.length)) return undefined
    const text = readText(this.bytes, start, this.at)
    if (typeof text === 'string') return text
    this.fail(text.fault)
    return undefined
  }

  private array(count: number, depth: number): unknown[] {
    const items: unknown[] = []
    if (depth > NESTING_MAX) this.tooDeep(count)
    else
      for (let i = 0; i < count && this.at <= this.bytes.length; i++) {
        const item = this.value(depth + 1)
        if (this.fault === undefined) items.push(item)
      }
    return items
  }

  private map(count: number, depth: number): Record<string, unknown> {
    const values: Record<string, unknown> = {}
    if (depth > NESTING_MAX) this.tooDeep(count * 2)
    else for (let i = 0; i < count && this.at <= this.bytes.length; i++) this.entry(values, depth)
    return values
  }

  private entry(values: Record<string, unknown>, depth: number): void {
    const key = this.mapKey(depth)
    if (key !== undefined && depth === 1) this.key = key
    const type = this.bytes[this.at] ?? 0xc0
    const value = this.value(depth + 1)
    if (key === undefined) return
    if (this.fault === undefined) this.keep(values, key, value)
    if (depth === 1 && key === ID && this.id === undefined && this.at <= this.bytes.length) {
      this.id = idOf(type, value)
    }
  }

  private keep(values: Record<string, unknown>, key: string, value: unknown): void {
    // Never the property that would set the object's prototype.
    const property = key === '__proto__' ? '__proto_' : key
    if (Object.hasOwn(values, property)) return this.fail(`the key ${quote(key)} occurs twice`)
    values[property] = value
  }

  /** The key that begins here, or undefined (and a fault) when it is not a string. */
  private mapKey(depth: number): string | undefined {
    const type = this.bytes[this.at] ?? 0
    const isString = (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb)
    if (!isString && this.at < this.bytes.length) this.fail('a key is not a string')
    const key = this.value(depth + 1)
    return isString ? (key as string | undefined) : undefined
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
}

const FLOATS = new Set([0xca, 0xcb])

function idOf(type: number, value: unknown): number | undefined {
  if (typeof value !== 'number' || FLOATS.has(type) || value < 0 || value > UINT32_MAX) return undefined
  return value
}
