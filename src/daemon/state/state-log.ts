// What the broker knows, in a memory file that a keeper has too: appended to before what it permits is done, and written anew into a
// second file when most of it is outdated. Where nothing is kept nothing is written, because nothing would read it.

import { randomBytes } from 'node:crypto'
import { count, type Folded } from '../../core/fold.ts'
import type { StateRecord } from '../../core/state.ts'
import { createMemoryFile, type DescriptorStore, type OwnedFd, writeAt } from '../../sys/index.ts'
import type { Log } from '../log.ts'
import {
  encodeHeader,
  encodeRecord,
  FRAME_HEADER,
  HEADER_LENGTH,
  latin1,
  putRecord,
  RECORD_HEADER,
  sealFrame,
} from './format.ts'

export const STATE_KEY = '.state'

/** A log is written anew when it is this long and so many times longer than what it says. */
const COMPACT_FROM = 256 * 1024
const COMPACT_RATIO = 4

/** Of one frame when the whole state is written. */
const CHUNK = 64 * 1024

export interface StateLogOptions {
  compactFrom?: number
  /** The values of `folded`, encoded: the log's from now on. */
  written?: Map<string, string>
}

export class StateLog {
  private readonly store: DescriptorStore
  private readonly log: Log
  private readonly compactFrom: number
  /** Encoded, by key: what the log says when it is read now. A string of Latin-1 for each: a small array would have its bytes outside. */
  private readonly live: Map<string, string>
  private liveBytes = 0
  private readonly meta: Folded['meta']
  private file: OwnedFd | undefined
  private seed = 0
  private end = 0
  private frame: Buffer = Buffer.allocUnsafe(4096)
  private failed = false

  /** Begins with what was restored, in a file of its own: the one before stays as it is until the store has this one. */
  constructor(store: DescriptorStore, folded: Folded, log: Log, options: StateLogOptions = {}) {
    const { compactFrom = COMPACT_FROM, written } = options
    this.store = store
    this.log = log
    this.compactFrom = compactFrom
    this.meta = { ...folded.meta }
    this.live = written ?? new Map()
    if (!store.keeps) return
    for (const bytes of this.live.values()) this.liveBytes += bytes.length
    if (written === undefined) for (const [key, value] of folded.values) this.keep(key, encodeRecord({ key, value }))
    this.compact()
  }

  /** False where nothing is written, because nothing would read it. */
  get keeps(): boolean {
    return this.store.keeps
  }

  /** All of them, or none, survive the broker. */
  append(records: readonly StateRecord[]): void {
    if (!this.store.keeps || records.length === 0) return
    let length = FRAME_HEADER
    for (const record of records) {
      const bytes = encodeRecord(record)
      this.reserve(length, length + RECORD_HEADER + bytes.length)
      length = putRecord(this.frame, bytes, length)
      if (record.value === null) this.drop(record.key)
      else this.keep(record.key, bytes)
      count(this.meta, record)
    }
    this.write(() => {
      if (this.failed || (this.end > this.compactFrom && this.end > COMPACT_RATIO * this.liveBytes)) this.compact()
      else this.writeFrame(this.frame.subarray(0, length))
    })
  }

  close(): void {
    this.file?.close()
    this.file = undefined
  }

  /** A broker that cannot write its state serves on: a crash would lose what is not written, an end now loses everything. */
  private write(act: () => void): void {
    try {
      act()
      if (this.failed) this.log.info('the state is written again')
      this.failed = false
    } catch (error) {
      if (!this.failed)
        this.log.error({ err: error }, 'the state cannot be written: leases are lost if the broker dies')
      this.failed = true
    }
  }

  private writeFrame(frame: Buffer): void {
    sealFrame(frame, this.seed)
    writeAt(this.file!, frame, this.end)
    this.end += frame.length
  }

  private compact(): void {
    const file = createMemoryFile('fd-broker-state')
    try {
      const seed = randomBytes(4).readUInt32LE()
      writeAt(file, encodeHeader(seed), 0)
      let end = HEADER_LENGTH
      for (const frame of this.snapshot()) {
        sealFrame(frame, seed)
        writeAt(file, frame, end)
        end += frame.length
      }
      this.store.put(STATE_KEY, [file.fd])
      this.file?.close()
      Object.assign(this, { file, seed, end })
    } catch (error) {
      file.close()
      throw error
    }
  }

  private *snapshot(): Generator<Buffer> {
    const meta = latin1(encodeRecord({ key: 'meta', value: this.meta }))
    let chunk = [meta]
    let length = meta.length
    for (const bytes of this.live.values()) {
      if (length > CHUNK) {
        yield frameOf(chunk)
        chunk = []
        length = 0
      }
      chunk.push(bytes)
      length += bytes.length
    }
    yield frameOf(chunk)
  }

  private keep(key: string, bytes: Uint8Array): void {
    this.liveBytes += bytes.length - (this.live.get(key)?.length ?? 0)
    this.live.set(key, latin1(bytes))
  }

  private drop(key: string): void {
    this.liveBytes -= this.live.get(key)?.length ?? 0
    this.live.delete(key)
  }

  private reserve(used: number, length: number): void {
    if (length <= this.frame.length) return
    const larger = Buffer.allocUnsafe(length * 2)
    this.frame.copy(larger, 0, 0, used)
    this.frame = larger
  }
}

function frameOf(records: readonly string[]): Buffer {
  const length = records.reduce((sum, record) => sum + RECORD_HEADER + record.length, FRAME_HEADER)
  const frame = Buffer.allocUnsafe(length)
  let at = FRAME_HEADER
  for (const record of records) at = putRecord(frame, Buffer.from(record, 'latin1'), at)
  return frame
}
