// Packets between the broker and its keeper (native/keeper.h): a byte that says what it is, then what belongs to it.

import { addon, constants } from './addon.ts'
import type { OwnedFd } from './owned-fd.ts'
import { isPassing } from './passing-errors.ts'
import { Poll, READABLE } from './poll.ts'
import { receive, receivedBytes } from './receive.ts'
import { check } from './system-error.ts'

export interface KeeperPacket {
  op: string
  bytes: Buffer
  fds: OwnedFd[]
  /** Descriptors that were sent did not arrive: the table of this process is full. */
  fdsLost: boolean
}

const PACKET_MAX = 1024
/** A keeper answers in microseconds; one that was stopped is waited for so long. */
const PATIENCE_MS = 10_000
const STEP_MS = 20

const { EAGAIN, EPIPE, ECONNRESET } = constants.errno
const over = new Set([EPIPE, ECONNRESET])

export class KeeperLink {
  readonly #socket: OwnedFd
  readonly #early: KeeperPacket[] = []
  #hear: ((packet: KeeperPacket) => void) | undefined
  #poll: Poll | undefined

  /** Owns `socket` from now on. */
  constructor(socket: OwnedFd) {
    this.#socket = socket
  }

  get closed(): boolean {
    return this.#socket.closed
  }

  /** Waits, and holds up the thread, while the keeper is behind: it hears nobody else. Nothing once the keeper has gone. */
  send(op: string, payload: Uint8Array | string = '', fds: readonly number[] = []): void {
    const bytes = Buffer.concat([Buffer.from(op, 'latin1'), Buffer.from(payload)])
    const numbers = fds.length > 0 ? Int32Array.from(fds) : null
    for (const end = performance.now() + PATIENCE_MS; !this.closed; ) {
      const errno = -addon.send(this.#socket.fd, bytes, numbers)
      if (errno <= 0 || over.has(errno)) return
      if (!isPassing(errno) || performance.now() > end) check(-errno, 'sendmsg to the keeper')
      addon.wait(this.#socket.fd, errno === EAGAIN ? constants.POLLOUT : 0, STEP_MS)
    }
  }

  /** The answer to what was just sent: the next packet of one of these kinds. Others are delivered later. */
  answer(ops: string): KeeperPacket {
    for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
      const packet = this.#receive()
      if (packet === 'end') throw new Error('the keeper has ended')
      if (packet === undefined) addon.wait(this.#socket.fd, constants.POLLIN, STEP_MS)
      else if (ops.includes(packet.op)) return packet
      else {
        this.#early.push(packet)
        queueMicrotask(() => this.#deliverEarly())
      }
    }
    throw new Error(`the keeper has not answered within ${PATIENCE_MS / 1000} s`)
  }

  /** From now on, in order, what comes and what came early; `onEnd` once, when the keeper has gone. Keeps no process alive. */
  listen(onPacket: (packet: KeeperPacket) => void, onEnd: () => void): void {
    this.#hear = onPacket
    this.#poll = new Poll(this.#socket.fd, () => {
      this.#deliverEarly()
      for (let packet = this.#receive(); packet !== undefined; packet = this.#receive()) {
        if (packet === 'end') {
          this.close()
          return onEnd()
        }
        onPacket(packet)
      }
    })
    this.#poll.unref()
    queueMicrotask(() => this.#deliverEarly())
    this.#poll.start(READABLE)
  }

  ref(): void {
    this.#poll?.ref()
  }

  unref(): void {
    this.#poll?.unref()
  }

  close(): void {
    this.#poll?.close()
    this.#poll = undefined
    this.#socket.close()
  }

  /** What came while an answer was waited for, also after listen(). */
  #deliverEarly(): void {
    if (this.#hear === undefined) return
    for (let packet = this.#early.shift(); packet !== undefined; packet = this.#early.shift()) this.#hear(packet)
  }

  #receive(): KeeperPacket | 'end' | undefined {
    if (this.closed) return undefined
    const { result, fds, controlTruncated } = receive(this.#socket.fd, PACKET_MAX)
    if (isPassing(-result)) return undefined
    if (result <= 0) return 'end'
    const bytes = Buffer.from(receivedBytes(result))
    return { op: String.fromCharCode(bytes[0]!), bytes: bytes.subarray(1), fds, fdsLost: controlTruncated }
  }
}
