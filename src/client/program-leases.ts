// Leases for a program that this process becomes by execve(2). They are bound to the process, and all taken on one connection, which is
// ended before: from then on the broker says `drain` by signal.

import { BrokerError } from '../protocol/errors.ts'
import { acquire } from './acquire.ts'
import type { Lease } from './lease.ts'
import { type ConnectOptions, PROGRAM_KEYS, type ProgramOptions } from './options.ts'
import { rehearseMeanwhile } from './rehearsal.ts'
import { Session } from './session.ts'

export class ProgramLeases {
  readonly #session: Session
  readonly #leases: Lease[] = []
  readonly #trouble = new AbortController()
  /** From then on the connection is lost on purpose. */
  #detached = false

  constructor(options: ConnectOptions) {
    this.#session = new Session(options)
  }

  async acquire(name: string, options: Omit<ProgramOptions, 'bind' | 'signal'>): Promise<Lease> {
    const bound = { ...options, bind: 'process', signal: this.trouble } as const
    const lease = await rehearseMeanwhile(acquire(this.#session, name, bound, PROGRAM_KEYS))
    this.#leases.push(lease)
    lease.on('drain', ({ reason }) => this.#note(`the lease on ${name} was asked to drain (${reason})`))
    lease.on(
      'ended',
      ({ reason }) => (reason === 'lost' && this.#detached) || this.#note(`the lease on ${name} is over (${reason})`),
    )
    return lease
  }

  /** Aborts with ENDED when one was to drain, or was over: there is nothing to wait for any more. */
  get trouble(): AbortSignal {
    return this.#trouble.signal
  }

  /** Ends the connection and keeps the leases. Rejects with ENDED when one was to drain, or was over, before that. */
  async detach(): Promise<void> {
    const { ended, timeout } = this.#session
    if (ended) throw ended
    // A broker that is away comes back with the leases, and with what it has to say of them.
    await this.#session.connection({ deadline: performance.now() + timeout })
    this.#detached = true
    await this.#session.finish()
    await new Promise((resolve) => setImmediate(resolve))
    this.trouble.throwIfAborted()
  }

  /** Gives all of them back. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#leases.map((lease) => lease.release()))
    this.#session.close()
  }

  #note(what: string): void {
    this.#trouble.abort(new BrokerError('ENDED', `${what} before the program was started: acquire again`))
  }
}
