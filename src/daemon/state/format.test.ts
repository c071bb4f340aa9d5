import { describe, expect, it } from 'vitest'
import type { StateRecord } from '../../core/state.ts'
import {
  decodeFrames,
  decodeHeader,
  encodeHeader,
  encodeRecord,
  FRAME_HEADER,
  HEADER_LENGTH,
  putRecord,
  sealFrame,
} from './format.ts'

const SEED = 7

function frameOf(...records: StateRecord[]): Buffer {
  const frame = Buffer.alloc(records.reduce((sum, record) => sum + 4 + encodeRecord(record).length, FRAME_HEADER))
  let at = FRAME_HEADER
  for (const record of records) at = putRecord(frame, encodeRecord(record), at)
  sealFrame(frame, SEED)
  return frame
}

const FIRST: StateRecord[] = [{ key: 'lease/1', value: { since: 1_763_769_600_123, label: 'grün', open: true } }]
const SECOND: StateRecord[] = [
  { key: 'lease/1', value: null },
  { key: 'meta', value: { nextLease: 2, nextGeneration: 5 } },
]
/** As the reader of a state does it. */
function decodeState(bytes: Buffer): { records: StateRecord[]; torn: number } {
  const seed = decodeHeader(bytes)
  const frames = bytes.subarray(HEADER_LENGTH)
  const { records, length } = decodeFrames(frames, seed)
  for (const { key, value, bytes } of records)
    expect(Buffer.from(bytes)).toEqual(Buffer.from(encodeRecord({ key, value })))
  return { records: records.map(({ key, value }) => ({ key, value })), torn: frames.length - length }
}

const STATE = Buffer.concat([encodeHeader(SEED), frameOf(...FIRST), frameOf(...SECOND)])

describe('the bytes of the state', () => {
  it('are a header and frames of a length, a CRC-32 and MessagePack, as documented', () => {
    const frame = frameOf({ key: 'meta', value: { nextLease: 2, nextGeneration: 5 } })
    const value = '82a96e6578744c6561736502ae6e65787447656e65726174696f6e05'
    const payload = `2c00000082a36b6579a46d657461a576616c7565${value}`
    expect(frame.subarray(FRAME_HEADER).toString('hex')).toBe(payload)
    expect(frame.readUInt32LE(0)).toBe(payload.length / 2)
    expect(frame.readUInt32LE(4)).toBe(crc32(Buffer.from(payload, 'hex'), SEED))
    expect(encodeHeader(SEED).toString('hex')).toBe('4644425354415445' + '01000000' + '07000000')
  })

  it('are read back in order', () => {
    expect(decodeState(STATE)).toEqual({ records: [...FIRST, ...SECOND], torn: 0 })
  })

  it('are cut at the last whole frame, wherever writing stopped', () => {
    const whole = [HEADER_LENGTH, HEADER_LENGTH + frameOf(...FIRST).length, STATE.length]
    const records = [[], FIRST, [...FIRST, ...SECOND]]
    for (let length = HEADER_LENGTH; length <= STATE.length; length++) {
      const at = whole.findLastIndex((end) => end <= length)
      const read = decodeState(STATE.subarray(0, length))
      expect(read).toEqual({ records: records[at], torn: length - whole[at]! })
    }
  })

  it('end at a frame in which any bit is wrong', () => {
    for (let at = HEADER_LENGTH; at < HEADER_LENGTH + frameOf(...FIRST).length; at++) {
      const damaged = Buffer.from(STATE)
      damaged[at]! ^= 0x10
      expect(decodeState(damaged).records).toEqual([])
    }
  })

  it('end at zeros and at a frame of another file', () => {
    const foreign = frameOf(...FIRST)
    sealFrame(foreign, SEED + 1)
    for (const tail of [Buffer.alloc(64), foreign]) {
      const { records, torn } = decodeState(Buffer.concat([STATE, tail]))
      expect([records.length, torn]).toEqual([3, tail.length])
    }
  })

  it('are refused when they are of another version, which the message names, or no state at all', () => {
    const newer = Buffer.concat([encodeHeader(SEED, 2), STATE.subarray(HEADER_LENGTH)])
    expect(() => decodeState(newer)).toThrow(/is of version 2, and this program reads version 1: start the program/)
    expect(() => decodeState(Buffer.from('something else entirely'))).toThrow(/is not a state/)
    expect(() => decodeState(Buffer.alloc(0))).toThrow(/is not a state/)
  })
})

/** Bit by bit, from the polynomial of IEEE 802.3: not the library that the code under test uses. */
function crc32(bytes: Buffer, seed: number): number {
  let crc = ~seed
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}
