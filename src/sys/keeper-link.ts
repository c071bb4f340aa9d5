// Packets between the broker and its keeper (native/keeper.h): a byte that says what it is, then what belongs to it.

import { setTimeout as sleep } from 'node:timers/promises'
import { addon, constants } from './addon.ts'
import { isStill, type LentFile, lentFile } from './lent-file.ts'
import { dupAll, type OwnedFd } from './owned-fd.ts'
import { isPassing } from './passing-errors.ts'
import { Poll, READABLE } from './poll.ts'
import { receive, receivedBytes } from './receive.ts'
import { check, SystemError } from './system-error.ts'

export interface KeeperPacket {
  op: string
  bytes: Buffer
  fds: OwnedFd[]
  /** Descriptors that were sent did not arrive: the table of this process is full. */
  fdsLost: boolean
}

/** What becomes of what was sent. */
export interface KeeperLinkFate {
  /** The keeper takes nothing: what is sent waits. Or it has taken all of it. */
  behind(isBehind: boolean): void
  /** A packet that the keeper will not have. */
  unsent(op: string, payload: string, error: SystemError): void
}

interface Waiting {
  op: string
  payload: Uint8Array | string
  /** Copies; where there was no descriptor for them, what is the sender's still. */
  fds: OwnedFd[]
  lent: LentFile[]
}

const PACKET_MAX = 1024
/** A keeper answers in microseconds; one that was stopped is waited for so long, once. */
const PATIENCE_MS = 10_000
const STEP_MS = 20
const RETRY_MS = 100
/** The last of these for a key is all that counts. */
const OF_A_KEY = new Set(['P', 'D'])

const { EAGAIN, EPIPE, ECONNRESET } = constants.errno
const over = new Set([EPIPE, ECONNRESET])

export class KeeperLink {
  readonly #socket: OwnedFd
  readonly #fate: KeeperLinkFate
  readonly #patience: number
  readonly #early: KeeperPacket[] = []
  /** In order, by key where one has it. While there are any, the keeper is behind, and nobody waits for it. */
  readonly #waiting = new Map<unknown, Waiting>()
  #retry: NodeJS.Timeout | undefined
  #hear: ((packet: KeeperPacket) => void) | undefined
  #poll: Poll | undefined

  /** Owns `socket` from now on. */
  constructor(socket: OwnedFd, fate: KeeperLinkFate, patience = PATIENCE_MS) {
    this.#socket = socket
    this.#fate = fate
    this.#patience = patience
  }

  get closed(): boolean {
    return this.#socket.closed
  }

  get behind(): boolean {
    return this.#waiting.size > 0 && !this.closed
  }

  /** Resolves when the keeper has taken everything, or is gone; after a while in any case. False where it has not taken it. */
  async caughtUp(): Promise<boolean> {
    for (const end = performance.now() + this.#patience; this.behind && performance.now() < end; ) await sleep(STEP_MS)
    return !this.behind
  }

  /**
   * Holds up the thread for a while when the keeper is behind: it hears nobody else. A keeper that takes nothing even so gets it later, and
   * everything after it, in order: a broker in the midst of a change cannot go back. Nothing once the keeper has gone.
   */
  send(op: string, payload: Uint8Array | string = '', fds: readonly number[] = []): void {
    if (!this.sendNow(op, payload, fds, this.#patience)) this.#sendLater(op, payload, fds)
  }

  /** False when the keeper has not taken it within `patience`: then it is not sent at all. */
  sendNow(op: string, payload: Uint8Array | string = '', fds: readonly number[] = [], patience = 0): boolean {
    if (this.behind) this.#sendWaiting()
    if (this.behind) return false
    for (const end = performance.now() + patience; ; ) {
      const errno = this.#try(op, payload, fds)
      if (errno === 0) return true
      if (!isPassing(errno)) check(-errno, 'sendmsg to the keeper')
      if (performance.now() > end) return false
      addon.wait(this.#socket.fd, errno === EAGAIN ? constants.POLLOUT : 0, STEP_MS)
    }
  }

  /** 0 also where nobody is there to hear of it. */
  #try(op: string, payload: Uint8Array | string, fds: readonly number[]): number {
    if (this.closed) return 0
    const bytes = Buffer.concat([Buffer.from(op, 'latin1'), Buffer.from(payload)])
    const errno = -addon.send(this.#socket.fd, bytes, fds.length > 0 ? Int32Array.from(fds) : null)
    return errno <= 0 || over.has(errno) ? 0 : errno
  }

  #sendLater(op: string, payload: Uint8Array | string, fds: readonly number[]): void {
    try {
      this.#enqueue({ op, payload, fds: dupAll(fds), lent: [] })
    } catch (error) {
      if (!(error instanceof SystemError)) throw error
      this.#enqueue({ op, payload, fds: [], lent: fds.map(lentFile) })
    }
  }

  #enqueue(next: Waiting): void {
    const isBehind = this.behind
    const key = OF_A_KEY.has(next.op) ? next.payload : Symbol(next.op)
    for (const fd of this.#waiting.get(key)?.fds ?? []) fd.close()
    this.#waiting.set(key, next)
    this.#retry ??= setTimeout(() => this.#sendWaiting(), RETRY_MS).unref()
    if (!isBehind) this.#fate.behind(true)
  }

  #sendWaiting(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    for (const [key, next] of this.#waiting) {
      const numbers = [...next.fds, ...next.lent].map(({ fd }) => fd)
      const errno = next.lent.every(isStill) ? this.#try(next.op, next.payload, numbers) : constants.errno.EBADF
      if (isPassing(errno)) {
        this.#retry = setTimeout(() => this.#sendWaiting(), RETRY_MS).unref()
        return
      }
      this.#waiting.delete(key)
      for (const fd of next.fds) fd.close()
      if (errno !== 0)
        this.#fate.unsent(next.op, next.payload.toString(), new SystemError(errno, 'sendmsg to the keeper'))
    }
    this.#fate.behind(false)
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
    clearTimeout(this.#retry)
    for (const { fds } of this.#waiting.values()) for (const fd of fds) fd.close()
    this.#waiting.clear()
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
