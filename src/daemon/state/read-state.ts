// The state that the broker before left with the keeper. That one may still write while it is read: another look goes on where the
// one before stopped, unless there is another log by then.

import { createFold, type Folded, fold } from '../../core/fold.ts'
import { type OwnedFd, readWhole } from '../../sys/index.ts'
import type { KeptDescriptors } from '../kept-descriptors.ts'
import type { Log } from '../log.ts'
import { decodeFrames, decodeHeader, HEADER_LENGTH, latin1 } from './format.ts'
import { STATE_KEY } from './state-log.ts'

export class StateReading {
  folded: Folded = createFold()
  /** Each value as it is written, so that it need not be encoded again. */
  written = new Map<string, string>()
  /** Each log has one of its own. */
  private seed: number | undefined
  private end = HEADER_LENGTH

  /** Bytes of a frame that is not written to its end. Throws when it is of another version. */
  read(file: OwnedFd): number {
    const seed = decodeHeader(readWhole(file, 0, HEADER_LENGTH))
    if (seed !== this.seed) this.begin(seed)
    const bytes = readWhole(file, this.end)
    const { records, length } = decodeFrames(bytes, seed)
    for (const record of records) {
      const { key, value, bytes } = record
      fold(this.folded, record)
      if (key === 'meta' || value === null) this.written.delete(key)
      else this.written.set(key, latin1(bytes))
    }
    this.end += length
    return bytes.length - length
  }

  private begin(seed: number): void {
    this.folded = createFold()
    this.written = new Map()
    this.seed = seed
    this.end = HEADER_LENGTH
  }
}

/** Nothing when nothing was kept. Throws when it is of another version. */
export function readState(kept: KeptDescriptors, log?: Log, reading = new StateReading()): StateReading {
  const [file, ...others] = kept.claim(STATE_KEY)
  for (const other of others) other.close()
  if (file === undefined) return new StateReading()
  using state = file
  const torn = reading.read(state)
  if (torn > 0) log?.warn({ bytes: torn }, 'the last entry of the state was not written to its end: it is cut off')
  return reading
}
