// Lines to a descriptor, once in a turn of the event loop: one system call for all that a turn has to say, and none of them lost
// unless the process is killed within that turn. Never waits for a slow reader, nor for room on a full disk: what is not taken is kept,
// and when that is too much it is counted instead.

import { writeSync } from 'node:fs'
import { isWritable } from '../sys/index.ts'

/** A pipe that is writable takes so much without blocking (pipe(7), PIPE_BUF). */
const CHUNK = 4096
const KEPT_MOST = 1024 * 1024
const RETRY_MS = 50
/** Nobody reads any more, or the descriptor is no such thing: nothing will be taken. */
const FINAL: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET', 'EBADF', 'EINVAL'])
const PATIENCE_MS = 1000

export class LineWriter {
  private readonly fd: number
  /** The line that tells how many were lost. */
  private readonly lostLine: (lines: number) => string
  private lines: string[] = []
  private kept = 0
  private lost = 0
  private scheduled: NodeJS.Immediate | undefined
  private retry: NodeJS.Timeout | undefined
  private broken = false

  constructor(fd: number, lostLine: (lines: number) => string) {
    this.fd = fd
    this.lostLine = lostLine
  }

  write(line: string): void {
    if (this.broken) return
    if (this.kept + line.length > KEPT_MOST) {
      this.lost++
      return
    }
    this.lines.push(line)
    this.kept += line.length
    if (this.retry === undefined) this.scheduled ??= setImmediate(() => this.flush())
  }

  /** At the end of the process: waits for a slow reader after all, but not for long. */
  finish(): void {
    const end = performance.now() + PATIENCE_MS
    for (this.flush(); this.lines.length > 0 && !this.broken && performance.now() < end; this.flush()) pause()
    clearTimeout(this.retry)
  }

  /** Writes what can be written without waiting. */
  flush(): void {
    clearImmediate(this.scheduled)
    clearTimeout(this.retry)
    this.scheduled = this.retry = undefined
    let chunk = ''
    while (this.lines.length > 0 && !this.broken) {
      chunk = this.nextChunk()
      const left = this.put(chunk)
      if (left.length === 0) continue
      this.lines.unshift(left)
      this.kept += left.length
      this.retry = setTimeout(() => this.flush(), RETRY_MS).unref()
      return
    }
    if (this.lost === 0 || this.broken) return
    const lost = this.lost
    this.lost = 0
    this.write(this.lostLine(lost))
  }

  private nextChunk(): string {
    let count = 1
    let length = this.lines[0]!.length
    while (count < this.lines.length && length + this.lines[count]!.length <= CHUNK)
      length += this.lines[count++]!.length
    this.kept -= length
    return this.lines.splice(0, count).join('')
  }

  /** What was not taken. */
  private put(text: string): string {
    let bytes = Buffer.from(text)
    try {
      while (bytes.length > 0 && isWritable(this.fd))
        bytes = bytes.subarray(writeSync(this.fd, bytes.subarray(0, CHUNK)))
    } catch (error) {
      if (FINAL.has((error as NodeJS.ErrnoException).code)) this.broken = true
    }
    return bytes.toString()
  }
}

/** A few milliseconds without the event loop, which has ended. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
}
