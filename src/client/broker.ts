// The client of a broker.

import type { HolderView, NameView } from '../protocol/messages.ts'
import { within } from './abort.ts'
import { acquire } from './acquire.ts'
import type { Lease } from './lease.ts'
import type { Abortable, AcquireOptions, ConnectOptions } from './options.ts'
import { Session } from './session.ts'

const CLOSE_PATIENCE = 1000

/** What `stats` answers: counters of the broker, by name. */
export type Stats = Record<string, unknown>

/**
 * One broker. It connects on first use, keeps trying for `timeout` ms while the broker is away, and connects again after a
 * loss. The process is kept alive only while a request waits for its answer.
 *
 * Every method rejects with a BrokerError (`code` says which row of docs/errors.md), or with the reason of its `signal`.
 */
export class Broker {
  readonly #session: Session

  constructor(options: ConnectOptions = {}) {
    this.#session = new Session(options)
  }

  /**
   * A lease on `name`, with its sockets. Rejects among others with DENIED (policy, or no such name), BUSY or PAUSED (no room and
   * no `wait`), TIMEOUT (no room within `wait`), ENDED (that generation is superseded), SYSTEM (this process has no free descriptor).
   */
  acquire(name: string, options: AcquireOptions = {}): Promise<Lease> {
    return acquire(this.#session, name, options)
  }

  /** Every name that this user may see, with its sockets. */
  async list(options: Abortable = {}): Promise<NameView[]> {
    const { message } = await this.#session.ask('list', {}, options)
    return message.sockets as NameView[]
  }

  /** The leases on `name`, or on all names. NOT_FOUND, or DENIED for who may not list. */
  async holders(name?: string, options: Abortable = {}): Promise<HolderView[]> {
    const { message } = await this.#session.ask('holders', name === undefined ? {} : { name }, options)
    return message.holders as HolderView[]
  }

  async stats(options: Abortable = {}): Promise<Stats> {
    const { id: _id, ok: _ok, ...stats } = (await this.#session.ask('stats', {}, options)).message
    return stats
  }

  /** Releases the leases taken here, and ends the connection; requests in flight reject with CLOSED. Twice is once. */
  async close(): Promise<void> {
    this.#session.refuse()
    const released = Promise.allSettled([...this.#session.leases].map((lease) => lease.release()))
    // A broker that does not answer learns of it by the end of the connection.
    await within(released, { timeout: CLOSE_PATIENCE }).catch(() => {})
    this.#session.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
