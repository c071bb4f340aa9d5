// The events of a lease. One that nobody has heard yet is kept for the first listener: `drain` may arrive with the grant, before
// the caller could have listened.

import { EventEmitter } from 'node:events'
import type { SocketDescription } from '../protocol/messages.ts'

/** Why a holder is asked to stop accepting. */
export type DrainReason = 'takeover' | 'admin' | 'pause' | 'removed' | 'rollback' | 'shutdown' | 'self'

/**
 * Why a lease is over. `died`: the broker was away, and this process did not come back to it within `reclaim_timeout`. `lost`: the
 * connection to the broker is lost, or the broker does not know the lease; the sockets stay open and go on serving.
 */
export type EndReason = 'expired' | 'evicted' | 'revoked' | 'died' | 'lost'

/** Stop accepting, finish, and release. */
export interface LeaseDrain {
  reason: DrainReason
  /** When to have finished and released at the latest: milliseconds since the epoch. */
  deadline: number
}

/** The lease is over, and not by its own release(). */
export interface LeaseEnded {
  reason: EndReason
}

/** The name has other sockets now. */
export interface LeaseReplaced {
  /** The sockets that the name has now, in the order of the config. */
  sockets: readonly SocketDescription[]
  /** After take(): their descriptors, the listener's to close. Otherwise `lease.fds` has them. */
  fds?: readonly number[]
}

/** What a lease emits, with the arguments. An event that comes before anyone listens waits for the first listener. */
export interface LeaseEvents {
  drain: [LeaseDrain]
  ended: [LeaseEnded]
  replaced: [LeaseReplaced]
}

export class LeaseEmitter extends EventEmitter<LeaseEvents> {
  #unheard = new Map<keyof LeaseEvents, LeaseEvents[keyof LeaseEvents][0]>()

  constructor() {
    super()
    this.on(
      'newListener' as never,
      ((event: keyof LeaseEvents) => {
        if (this.#unheard.has(event)) process.nextTick(() => this.#flush(event))
      }) as never,
    )
  }

  /** Emits on a later tick, so that no listener's exception reaches the connection. */
  protected announce<E extends keyof LeaseEvents>(event: E, details: LeaseEvents[E][0]): void {
    this.#unheard.set(event, details)
    process.nextTick(() => this.#flush(event))
  }

  #flush(event: keyof LeaseEvents): void {
    const details = this.#unheard.get(event)
    if (details === undefined || this.listenerCount(event) === 0) return
    this.#unheard.delete(event)
    this.emit(event, details as never)
  }
}
