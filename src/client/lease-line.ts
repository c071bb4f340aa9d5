// The line between a lease and its broker. It outlives the code that acquires, and events that come before the Lease object is ready
// wait here. It outlives the broker too: when the connection is lost the line reclaims the lease on the next one, and asks again what
// was not answered; the lease does not notice.

import type { BrokerError } from '../protocol/errors.ts'
import type { SocketDescription } from '../protocol/messages.ts'
import { noLongerThan, within } from './abort.ts'
import { type Answer, closeAll } from './answers.ts'
import type { Connection, LeaseSink, RequestOptions } from './connection.ts'
import { hasCode, leaseOver, noAnswer } from './failures.ts'
import { Gate } from './gate.ts'
import { located } from './located.ts'
import { stayAlive } from './stay-alive.ts'
import { untilAdmitted } from './until-admitted.ts'

/** What a line needs of the session that it belongs to. */
export interface LineOwner {
  readonly timeout: number
  readonly lines: Set<LeaseLine>
  /** Why nothing more can be asked. */
  readonly ended: BrokerError | undefined
  /** CLOSED: what connecting has failed with for `timeout` ms. */
  away(): BrokerError
  /** Whether another connection will come after that loss. */
  willReclaim(error: BrokerError): boolean
}

/** What the process need not stay alive for. */
const BACKGROUND = { background: true }

const PROBE_MS = 1000

type LineRequest = Pick<RequestOptions, 'signal' | 'answered' | 'unwanted'> & { held?: boolean }

/** The lease at the end of the line. */
export interface LineEnd extends LeaseSink {
  /** The sockets were replaced while the broker was away, or in the very moment before. */
  onOutdated(): void
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
  /** On the connection of now: settles with what the broker says. */
  #reclaiming = Promise.resolve()
  #releasing = false
  /** Aborts when nothing more is asked, with what is answered to all that asks. */
  readonly #over = new AbortController()

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

  /**
   * Asked again when the broker was away. All that may take `timeout`; or, `held`, the broker may answer whenever it likes, and only to be
   * away for longer than `timeout` at a time is too long.
   */
  async request(op: 'ready' | 'sockets', { held = false, ...options }: LineRequest = {}): Promise<Answer> {
    const { timeout } = this.#owner
    const over = this.#over.signal
    const signal = options.signal ? AbortSignal.any([options.signal, over]) : over
    const deadline = performance.now() + (held ? Number.POSITIVE_INFINITY : timeout)
    const left = () => deadline - performance.now()
    let connection: Connection | undefined
    for (;;) {
      try {
        connection = await this.#reach({ signal, timeout: Math.min(timeout, left()) })
        const limits = { ...options, signal, ...(!held && { timeout: left() }) }
        const ask = () => connection!.request(op, { lease: this.lease }, limits)
        return await untilAdmitted(connection, ask, { signal, timeout: Math.min(timeout, left()) })
      } catch (error) {
        const lost = connection?.ended
        const unanswered = connection !== undefined && lost === undefined && hasCode(error, 'CLOSED')
        if (unanswered && op === 'ready' && (await this.#answers(connection!, signal)))
          return this.request(op, { ...options, held: true })
        if (lost === undefined || error !== lost || !this.#owner.willReclaim(lost)) throw located(error, this.request)
        connection = undefined
      }
    }
  }

  /** Who answers something else holds the answer: the name has become exclusive since the grant. */
  async #answers(connection: Connection, signal: AbortSignal): Promise<boolean> {
    const limits = { signal, timeout: Math.min(this.#owner.timeout, PROBE_MS) }
    const answer = await connection.request('sockets', { lease: this.lease }, limits).catch(() => undefined)
    closeAll(answer?.fds ?? [])
    return answer !== undefined
  }

  /** The connection that has the lease; waits while the broker is away. */
  async #reach({ signal, timeout }: { signal: AbortSignal; timeout: number }): Promise<Connection> {
    signal.throwIfAborted()
    if (this.#ours.isOpen) return this.#connection
    const late = () => (this.#connection.ended ? this.#owner.away() : noAnswer(this.path, 'reclaim', timeout))
    await stayAlive(() => within(this.#ours.opened, { signal, timeout, late }))
    return this.#connection
  }

  /**
   * Gives the lease back. While the broker is away that is put off until it is back, and so it is for one that does not answer: whose
   * descriptors are closed has given back all that is his.
   */
  async release(): Promise<void> {
    if (this.#lost) return
    const connection = this.#connection
    this.#releasing = true
    this.#finish()
    connection.detach(this.lease)
    if (connection.ended) return this.#owner.willReclaim(connection.ended) ? undefined : this.forget()
    try {
      const patience = this.#ours.isOpen ? this.#owner.timeout : 0
      await stayAlive(() => noLongerThan(patience, this.#giveBack(connection)))
    } catch (error) {
      throw located(error, this.release)
    }
  }

  /** Settles when the broker knows it, or is lost: the next one is told then. */
  async #giveBack(connection: Connection): Promise<void> {
    const isOurs = this.#ours.isOpen
    const ask = () => connection.request('release', { lease: this.lease }, BACKGROUND)
    try {
      // At once behind the reclaim: who acquires the name again is to find it free. Where that is refused for the moment, so is this.
      const early = isOurs ? undefined : await ask().catch(() => this.#reclaiming)
      if (early === undefined) await untilAdmitted(connection, ask, BACKGROUND)
      this.forget()
    } catch (error) {
      if (connection.ended && this.#owner.willReclaim(connection.ended)) return
      this.forget()
      // A lease that the broker does not know has been given back.
      if (!connection.ended && isOurs) throw error
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
    this.#close()
  }

  /** Who waits already, because the broker before was lost too, waits on. */
  #close(): void {
    if (this.#ours.isOpen) this.#ours = new Gate()
  }

  /** The next connection of the session. What it says of the lease is heard from here on. */
  moveTo(connection: Connection): void {
    this.#connection = connection
    if (this.#releasing) this.#close()
    else connection.attach(this.lease, this)
    this.#reclaiming = this.#reclaim(connection)
    this.#reclaiming.catch((error: BrokerError) => error === connection.ended || this.#refused(error))
    if (this.#releasing) this.#giveBack(connection).catch(() => {})
  }

  async #reclaim(connection: Connection): Promise<void> {
    const { lease, name } = this
    const answered = (answer: Answer) => this.#reclaimed(answer)
    const ask = () => connection.request('reclaim', { lease, name }, { ...BACKGROUND, answered })
    await untilAdmitted(connection, ask, BACKGROUND)
  }

  #reclaimed(answer: Answer): void {
    closeAll(answer.fds)
    if (this.#releasing) return
    this.#ours.open()
    const cookies = (sockets: readonly SocketDescription[] = []) => sockets.map(({ cookie }) => cookie).join()
    const now = answer.message.sockets as SocketDescription[] | undefined
    if (this.#end && now && cookies(now) !== cookies(this.#end.sockets())) this.#end.onOutdated()
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
    this.#end?.onLost(error)
  }

  /** Who asks, or has asked and waits, is told why that is for nothing. */
  #finish(): void {
    this.#over.abort(this.#lost ?? this.#owner.ended ?? leaseOver(this.name, 'released'))
  }

  /** The broker is told nothing more of it. */
  forget(): void {
    this.#finish()
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
