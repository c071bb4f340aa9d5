// The line between a lease and its broker. It outlives the code that acquires, and events that come before the Lease object
// is ready wait here. A broker that restarts will be met here too: the line changes its connection, the lease does not notice.

import type { BrokerError } from '../protocol/errors.ts'
import type { Answer } from './answers.ts'
import type { Connection, LeaseSink, RequestOptions } from './connection.ts'

export class LeaseLine implements LeaseSink {
  readonly lease: number
  readonly #connection: Connection
  readonly #timeout: number
  #sink: LeaseSink | undefined
  #early: Answer[] = []
  #lost: BrokerError | undefined

  constructor(connection: Connection, lease: number, timeout: number) {
    this.lease = lease
    this.#connection = connection
    this.#timeout = timeout
    connection.attach(lease, this)
  }

  /** From now on `sink` hears everything, first what came before. */
  connect(sink: LeaseSink): void {
    this.#sink = sink
    for (const event of this.#early.splice(0)) sink.onEvent(event)
    if (this.#lost) sink.onLost(this.#lost)
  }

  /** `held`: the broker may answer whenever it likes. */
  request(op: 'ready' | 'release' | 'sockets', options: RequestOptions & { held?: true } = {}): Promise<Answer> {
    const { held, ...rest } = options
    const limits = held ? rest : { timeout: this.#timeout, ...rest }
    return this.#connection.request(op, { lease: this.lease }, limits)
  }

  /** Gives the lease back. A lost connection has done that already. */
  async release(): Promise<void> {
    this.#connection.detach(this.lease)
    await this.request('release').catch((error) => {
      if (!this.#connection.ended) throw error
    })
  }

  /** Gives back a lease that nobody will have; there is no one to tell if that fails. */
  abandon(): void {
    this.release().catch(() => {})
  }

  onEvent(event: Answer): void {
    if (this.#sink) this.#sink.onEvent(event)
    else this.#early.push(event)
  }

  onLost(error: BrokerError): void {
    this.#lost = error
    this.#sink?.onLost(error)
  }
}
