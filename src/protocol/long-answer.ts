// A long answer without descriptors, written item by item as the items are found: nothing of an item is kept but its bytes. It may
// need several packets, as encodeParts() does.

import { encode } from './encode.ts'
import { REPLY_MAX } from './limits.ts'

const ARRAY_HEADER_MAX = 3
/** As long as an integer can be here. */
const PARTS_MAX = 0xffff_ffff
const FIXARRAY_MAX = 15
/** Most answers are short, and V8 collects garbage for every few megabytes that lie outside of its heap. */
const ROOM_AT_FIRST = 2048

/** From `reserved` to `end`: the items' bytes. Before them there is room for the rest. */
interface Packet {
  bytes: Buffer
  end: number
  count: number
}

export class LongAnswer {
  private readonly head: Record<string, unknown>
  private readonly key: string
  private readonly reserved: number
  private readonly packets: Packet[] = []

  /** `head`: what every packet repeats; `key`: of the array that is cut. */
  constructor(head: Record<string, unknown>, key: string) {
    this.head = head
    this.key = key
    this.reserved = this.encodeHead({ part: PARTS_MAX, parts: PARTS_MAX }).length + ARRAY_HEADER_MAX
  }

  add(item: object): void {
    const bytes = encode(item)
    const last = this.packets.at(-1)
    const packet = last !== undefined && last.end + bytes.length <= REPLY_MAX ? last : this.begin()
    makeRoom(packet, bytes.length)
    packet.bytes.set(bytes, packet.end)
    packet.end += bytes.length
    packet.count++
  }

  private begin(): Packet {
    const packet = { bytes: Buffer.allocUnsafe(this.reserved + ROOM_AT_FIRST), end: this.reserved, count: 0 }
    this.packets.push(packet)
    return packet
  }

  /** Once, when all items were added. */
  *end(): Generator<Uint8Array> {
    if (this.packets.length === 0) this.begin()
    const parts = this.packets.length
    for (const [index, packet] of this.packets.entries()) {
      const bytes = this.complete(packet, parts === 1 ? {} : { part: index + 1, parts })
      // The last may be far from full: what waits for a peer that does not read takes no more memory than it is counted for.
      yield index + 1 < parts ? bytes : Buffer.from(bytes)
    }
  }

  private complete({ bytes, end, count }: Packet, numbers: Record<string, number>): Buffer {
    const head = this.encodeHead(numbers)
    const header = arrayHeader(count)
    const begin = this.reserved - header.length - head.length
    bytes.set(head, begin)
    bytes.set(header, this.reserved - header.length)
    return bytes.subarray(begin, end)
  }

  /** All up to the array, whose header is the last byte that an empty one takes. */
  private encodeHead(numbers: Record<string, number>): Uint8Array {
    return encode({ ...this.head, ...numbers, [this.key]: [] }).subarray(0, -1)
  }
}

/** A packet has fewer bytes than the 65,535 items that array 16 can count. */
function arrayHeader(count: number): Uint8Array {
  return count <= FIXARRAY_MAX ? Uint8Array.of(0x90 | count) : Uint8Array.of(0xdc, count >> 8, count & 0xff)
}

/** One item that is longer than a packet may be gets the room all the same. */
function makeRoom(packet: Packet, length: number): void {
  const needed = packet.end + length
  if (needed <= packet.bytes.length) return
  const bytes = Buffer.allocUnsafe(Math.max(needed, Math.min(2 * packet.bytes.length, REPLY_MAX)))
  packet.bytes.copy(bytes, 0, 0, packet.end)
  packet.bytes = bytes
}
