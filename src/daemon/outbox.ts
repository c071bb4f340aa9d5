// What waits to be sent to one peer. At most one packet with descriptors is in flight per peer, because descriptors in
// flight count against the broker's own limit (unix(7), ETOOMANYREFS): the next one waits until the peer has read.
// SIOCOUTQ tells only whether something is unread, and the kernel has no event for it, so it is asked again: at once a few
// times, for a peer that is reading right now, then with a growing pause.

import { type Channel, dupAll, type OwnedFd } from '../sys/index.ts'

/** Bytes queued for a peer beyond its socket buffer. */
const QUEUE_MAX = 1024 * 1024
const STALL_MS = 5000
const QUICK_RETRIES = 8
const RETRY_MAX_MS = 32

/** Descriptors that stay their owner's, and the SO_COOKIE of the socket that each is to be. */
export interface Lent {
  readonly fds: readonly number[]
  readonly cookies: BigUint64Array
}

interface Held {
  bytes: Uint8Array
  fds: readonly OwnedFd[]
  cookies: BigUint64Array
}

export class Outbox {
  private readonly channel: Channel
  private descriptorsSent = false
  private readonly held: Held[] = []
  private heldSince = 0
  private retries = 0
  private retryTimer: NodeJS.Timeout | undefined
  private retryImmediate: NodeJS.Immediate | undefined

  constructor(channel: Channel) {
    this.channel = channel
  }

  send(bytes: Uint8Array, lent?: Lent): void {
    if (lent === undefined || lent.fds.length === 0) return this.channel.send(bytes)
    if (this.held.length === 0 && this.clear()) return this.transmit(bytes, lent)
    if (this.held.length === 0) this.heldSince = performance.now()
    this.held.push({ bytes: Uint8Array.from(bytes), fds: dupAll(lent.fds), cookies: lent.cookies })
    if (this.held.length > 1) return
    // Back-pressure: a peer that pipelines acquires is read again once it has taken what it got.
    this.channel.pauseReading()
    this.retryLater()
  }

  private clear(): boolean {
    return !this.descriptorsSent || (this.channel.queuedBytes === 0 && this.channel.isRead)
  }

  private transmit(bytes: Uint8Array, { fds, cookies }: Lent): void {
    this.channel.send(bytes, fds, cookies)
    this.descriptorsSent = true
  }

  private retryLater(): void {
    const again = () => this.retry()
    if (this.retries < QUICK_RETRIES) this.retryImmediate = setImmediate(again)
    else this.retryTimer = setTimeout(again, Math.min(2 ** (this.retries - QUICK_RETRIES), RETRY_MAX_MS))
    this.retries++
  }

  private retry(): void {
    const next = this.held[0]
    if (next === undefined) return
    if (!this.clear()) return this.retryLater()
    this.held.shift()
    this.heldSince = performance.now()
    this.retries = 0
    try {
      this.transmit(next.bytes, { fds: next.fds.map((fd) => fd.fd), cookies: next.cookies })
    } catch {
      // The peer refuses descriptors (EPERM) or is going: a peer that cannot be answered is of no use.
      this.channel.close()
    } finally {
      for (const fd of next.fds) fd.close()
    }
    if (this.held.length > 0) this.retryLater()
    else this.channel.resumeReading()
  }

  stuck(now: number): boolean {
    if (this.channel.queuedBytes > QUEUE_MAX) return true
    if (this.held.length > 0 && now - this.heldSince > STALL_MS) return true
    return this.channel.queuedBytes > 0 && now - this.channel.lastProgress > STALL_MS
  }

  close(): void {
    clearTimeout(this.retryTimer)
    clearImmediate(this.retryImmediate)
    for (const { fds } of this.held) for (const fd of fds) fd.close()
    this.held.length = 0
  }
}
