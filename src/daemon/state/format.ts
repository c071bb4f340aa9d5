// The bytes of the state log: a header, then frames. A frame is what one step changed, so that it is there as a whole or not at all:
//   header  8 bytes "FDBSTATE", version (u32), seed (u32), all little-endian
//   frame   length of the payload (u32), CRC-32 of the payload (u32), payload: records
//   record  length of the map (u32), a MessagePack map of `key` and `value`
// The CRC begins with the file's own seed, so that no bytes that a worker chose, and no frame of another file, pass for a frame.

import { crc32 } from 'node:zlib'
import type { StateRecord } from '../../core/state.ts'
import { decodeMap } from '../../protocol/decode.ts'
import { encodeOwn } from '../../protocol/encode.ts'

export const STATE_VERSION = 1
export const HEADER_LENGTH = 16
export const FRAME_HEADER = 8
export const RECORD_HEADER = 4

const MAGIC = Buffer.from('FDBSTATE')

export function encodeHeader(seed: number, version = STATE_VERSION): Buffer {
  const header = Buffer.alloc(HEADER_LENGTH)
  MAGIC.copy(header)
  header.writeUInt32LE(version, 8)
  header.writeUInt32LE(seed, 12)
  return header
}

/** Without its length. Valid until the next one. */
export function encodeRecord(record: StateRecord): Uint8Array {
  return encodeOwn(record)
}

/** A record as a string, one character a byte: what is kept of thousands has no bytes outside V8's heap. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** Puts a record into a frame, and returns where the next one begins. */
export function putRecord(frame: Buffer, bytes: Uint8Array, at: number): number {
  frame.writeUInt32LE(bytes.length, at)
  frame.set(bytes, at + RECORD_HEADER)
  return at + RECORD_HEADER + bytes.length
}

/** Puts the header of a frame before its payload, which begins at FRAME_HEADER. */
export function sealFrame(frame: Buffer, seed: number): void {
  const payload = frame.subarray(FRAME_HEADER)
  frame.writeUInt32LE(payload.length, 0)
  frame.writeUInt32LE(crc32(payload, seed), 4)
}

/** A record and what it is written as, which are bytes of the log's. */
export interface WrittenRecord extends StateRecord {
  bytes: Uint8Array
}

/** The seed of its checksums. Throws when it is not a state that this program can read. */
export function decodeHeader(bytes: Buffer): number {
  if (bytes.length < HEADER_LENGTH || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new Error('what was kept as the state of the broker before is not a state: its leases are unknown')
  }
  const version = bytes.readUInt32LE(8)
  if (version !== STATE_VERSION) {
    throw new Error(
      `the state of the broker before is of version ${version}, and this program reads version ${STATE_VERSION}: ` +
        'start the program that wrote it, or stop the service and start it anew without its leases',
    )
  }
  return bytes.readUInt32LE(12)
}

export interface ReadFrames {
  records: WrittenRecord[]
  /** Of the bytes, those that are whole frames. */
  length: number
}

/** Frames to the end, or to the first that was not written to its end. */
export function decodeFrames(bytes: Buffer, seed: number): ReadFrames {
  const records: WrittenRecord[] = []
  let length = 0
  for (let frame = frameAt(bytes, length, seed); frame !== undefined; frame = frameAt(bytes, length, seed)) {
    for (const record of recordsIn(frame)) records.push(record)
    length += FRAME_HEADER + frame.length
  }
  return { records, length }
}

/** The payload of the frame there; undefined when there is none, or not the whole of it. */
function frameAt(bytes: Buffer, at: number, seed: number): Buffer | undefined {
  if (at + FRAME_HEADER > bytes.length) return undefined
  const length = bytes.readUInt32LE(at)
  const end = at + FRAME_HEADER + length
  if (length === 0 || end > bytes.length) return undefined
  const payload = bytes.subarray(at + FRAME_HEADER, end)
  return crc32(payload, seed) === bytes.readUInt32LE(at + 4) ? payload : undefined
}

function* recordsIn(frame: Buffer): Generator<WrittenRecord> {
  for (let at = 0; at < frame.length; ) {
    const end = at + RECORD_HEADER + frame.readUInt32LE(at)
    const bytes = frame.subarray(at + RECORD_HEADER, end)
    yield { ...decodeRecord(bytes), bytes }
    at = end
  }
}

function decodeRecord(bytes: Uint8Array): StateRecord {
  try {
    const { key, value } = decodeMap(bytes)
    if (typeof key !== 'string' || value === undefined) throw new Error('a record has no key, or no value')
    return { key, value }
  } catch (error) {
    throw new Error(`the state of the broker before cannot be read: ${(error as Error).message}`)
  }
}
