// The line between a lease and its broker. It outlives the code that acquires, and events that come before the Lease object is ready
// wait here. It outlives the broker too: when the connection is lost the line reclaims the lease on the next one, and asks again what
// was not answered; the lease does not notice.

import type { BrokerError } from '../protocol/errors.ts'
import type { SocketDescription } from '../protocol/messages.ts'
import { within } from './abort.ts'
import { type Answer, closeAll } from './answers.ts'
import type { Connection, LeaseSink, RequestOptions } from './connection.ts'
import { noAnswer } from './failures.ts'
import { Gate } from './gate.ts'
import { located } from './located.ts'
import { stayAlive } from './stay-alive.ts'

/** What a line needs of the session that it belongs to. */
export interface LineOwner {
  readonly timeout: number
  readonly lines: Set<LeaseLine>
  /** Whether another connection will come after that loss. */
  willReclaim(error: BrokerError): boolean
}

/** The lease at the end of the line. */
export interface LineEnd extends LeaseSink {
  sockets(): readonly SocketDescription[]
}

export class LeaseLine implements LeaseSink {
  readonly lease: number
  readonly name: string
  readonly #owner: LineOwner
  #connection: Connection
  #end: LineEnd | undefined
  #early: Answer[] = []
  #lost: BrokerError | undefined
  /** Open while the broker knows that this connection has the lease. */
  #ours = new Gate()
  #releasing = false

  constructor(owner: LineOwner, connection: Connection, { lease, name }: { lease: number; name: string }) {
    this.lease = lease
    this.name = name
    this.#owner = owner
    this.#connection = connection
    this.#ours.open()
    owner.lines.add(this)
    everyLine.add(this)
    connection.attach(lease, this)
  }

  get path(): string {
    return this.#connection.path
  }

  /** From now on `end` hears everything, first what came before. */
  connect(end: LineEnd): void {
    this.#end = end
    for (const event of this.#early.splice(0)) end.onEvent(event)
    if (this.#lost) end.onLost(this.#lost)
  }

  /** `held`: the broker may answer whenever it likes. Asked again when the broker was away. */
  async request(op: 'ready' | 'sockets', { held, ...options }: RequestOptions & { held?: true } = {}): Promise<Answer> {
    const limits = held ? options : { timeout: this.#owner.timeout, ...options }
    let connection: Connection | undefined
    for (;;) {
      try {
        connection = await this.#reach(op, limits)
        return await connection.request(op, { lease: this.lease }, limits)
      } catch (error) {
        const lost = connection?.ended
        if (lost === undefined || error !== lost || !this.#owner.willReclaim(lost)) throw located(error, this.request)
        connection = undefined
      }
    }
  }

  /** The connection that has the lease; waits while the broker is away. */
  async #reach(op: string, { signal, timeout }: RequestOptions): Promise<Connection> {
    const late = () => noAnswer(this.path, op, timeout ?? 0)
    await stayAlive(() => within(this.#ours.opened, { signal, timeout, late }))
    if (this.#lost) throw this.#lost
    return this.#connection
  }

  /** Gives the lease back. While the broker is away that is put off until it is back. */
  async release(): Promise<void> {
    if (this.#lost) return
    const connection = this.#connection
    this.#releasing = true
    connection.detach(this.lease)
    if (connection.ended && !this.#owner.willReclaim(connection.ended)) return this.forget()
    if (connection.ended) return
    try {
      await connection.request('release', { lease: this.lease }, { timeout: this.#owner.timeout })
      this.forget()
    } catch (error) {
      if (connection.ended && this.#owner.willReclaim(connection.ended)) return
      this.forget()
      if (!connection.ended) throw located(error, this.release)
    }
  }

  /** Gives back a lease that nobody will have; there is no one to tell if that fails. */
  abandon(): void {
    this.release().catch(() => {})
  }

  onEvent(event: Answer): void {
    if (this.#end) this.#end.onEvent(event)
    else this.#early.push(event)
  }

  onLost(error: BrokerError): void {
    if (!this.#owner.willReclaim(error)) return this.#lose(error)
    // Who waits already, because the broker before was lost too, waits on.
    if (this.#ours.isOpen) this.#ours = new Gate()
  }

  /** The next connection of the session. What it says of the lease is heard from here on. */
  moveTo(connection: Connection): void {
    const { lease, name } = this
    this.#connection = connection
    if (!this.#releasing) connection.attach(lease, this)
    connection
      .request('reclaim', { lease, name }, { background: true, answered: (answer) => this.#reclaimed(answer) })
      .catch((error: BrokerError) => error === connection.ended || this.#refused(error))
    if (this.#releasing) connection.request('release', { lease }, { background: true }).catch(() => {})
  }

  #reclaimed(answer: Answer): void {
    closeAll(answer.fds)
    if (this.#releasing) return this.forget()
    this.#ours.open()
    const cookies = (sockets: readonly SocketDescription[] = []) => sockets.map(({ cookie }) => cookie).join()
    const now = answer.message.sockets as SocketDescription[] | undefined
    if (this.#end && now && cookies(now) !== cookies(this.#end.sockets())) this.#fetchSockets()
  }

  /** The sockets were replaced while the broker was away, or in the very moment before. */
  #fetchSockets(): void {
    this.request('sockets').then(
      (answer) => this.onEvent({ ...answer, message: { ...answer.message, event: 'replaced', lease: this.lease } }),
      () => {},
    )
  }

  /** The broker does not have the lease for us any more: it says why, or does not know it. */
  #refused(error: BrokerError): void {
    this.#connection.detach(this.lease)
    if (error.code !== 'ENDED') return this.#lose(error)
    const { reason = 'revoked' } = error.details as { reason?: string }
    this.onEvent({ message: { event: 'ended', lease: this.lease, reason }, fds: [], fdsLost: false })
    this.#lose(error)
  }

  #lose(error: BrokerError): void {
    this.#lost = error
    this.forget()
    this.#ours.open()
    this.#end?.onLost(error)
  }

  /** The broker is told nothing more of it. */
  forget(): void {
    this.#owner.lines.delete(this)
    everyLine.delete(this)
  }
}

/** Of the whole process, whichever session has them. */
const everyLine = new Set<LeaseLine>()

/** What hello lists: the broker ends those of this process that are not there when it asks for their name again. */
export function leasesAt(path: string): number[] {
  return [...everyLine].filter((line) => line.path === path).map(({ lease }) => lease)
}
