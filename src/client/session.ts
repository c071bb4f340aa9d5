// The way to the broker: connects on first use, keeps trying while it is away, and connects again after a loss.

import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerError } from '../protocol/errors.ts'
import type { Op, Requests } from '../protocol/messages.ts'
import { within } from './abort.ts'
import type { Answer } from './answers.ts'
import { backOff, LONGEST_DELAY } from './back-off.ts'
import { Connection, type Introduction } from './connection.ts'
import { awayTooLong, cannotConnect, hasCode, isAway, noAnswer } from './failures.ts'
import type { Lease } from './lease.ts'
import { type LeaseLine, leasesAt } from './lease-line.ts'
import { located } from './located.ts'
import { type Abortable, type ConnectOptions, DEFAULT_TIMEOUT } from './options.ts'
import { socketPath } from './socket-path.ts'
import { SpareFd } from './spare-fd.ts'
import { stayAlive } from './stay-alive.ts'

export interface ReachOptions extends Abortable {
  /** On performance.now()'s clock: when to stop trying. */
  deadline: number
}

export class Session {
  readonly timeout: number
  readonly spare = new SpareFd()
  /** Those not released yet. */
  readonly leases = new Set<Lease>()
  /** Of the leases here that the broker has not been told the end of. */
  readonly lines = new Set<LeaseLine>()
  readonly #options: ConnectOptions
  #connection: Connection | undefined
  #attempt: Promise<Connection> | undefined
  #failures = 0
  #lastFailure: unknown
  /** A connection of before was let in. */
  #welcomed = false
  #over: BrokerError | undefined

  constructor(options: ConnectOptions) {
    this.#options = options
    this.timeout = options.timeout ?? DEFAULT_TIMEOUT
  }

  /**
   * The living connection, or a new one. Every caller waits as long as it likes, and keeps the process alive meanwhile; they share the
   * attempts.
   */
  async connection(options: ReachOptions): Promise<Connection> {
    return this.#current(options) ?? stayAlive(() => this.#reach(options))
  }

  async #reach(options: ReachOptions): Promise<Connection> {
    const { deadline, signal } = options
    for (;;) {
      const current = this.#current(options)
      if (current) return current
      this.#attempt ??= this.#tryOnce().finally(() => {
        this.#attempt = undefined
      })
      try {
        const timeout = Math.max(0, deadline - performance.now())
        return await within(this.#attempt, { signal, timeout, late: () => this.away() })
      } catch (error) {
        if (!isAway(error)) throw error
        if (performance.now() >= deadline) throw this.away()
      }
    }
  }

  #current({ signal }: Abortable): Connection | undefined {
    signal?.throwIfAborted()
    this.assertOpen()
    return this.#connection
  }

  /** For verbs that may be asked twice: asks again on a new connection when the first is lost. */
  async ask<O extends Op>(op: O, args: Requests[O], { signal }: Abortable = {}): Promise<Answer> {
    const deadline = performance.now() + this.timeout
    let connection: Connection | undefined
    for (;;) {
      try {
        connection = await this.connection({ deadline, signal })
        return await connection.request(op, args, { signal, timeout: deadline - performance.now() })
      } catch (error) {
        const again = connection !== undefined && this.mayRetry(connection, error) && performance.now() < deadline
        if (!again) throw located(error, this.ask)
        connection = undefined
      }
    }
  }

  /** Whether `error` is the loss of that connection, and another may be tried. */
  mayRetry(connection: Connection, error: unknown): boolean {
    return error === connection.ended && this.#isPassing(error) && !this.#over
  }

  willReclaim(error: BrokerError): boolean {
    return this.#isPassing(error) && !this.#over && this.#options.reconnect !== false
  }

  /** For who was let in before, to be one too many is as if the broker was away. */
  #isPassing(error: unknown): boolean {
    return hasCode(error, 'CLOSED') || (this.#welcomed && hasCode(error, 'LIMIT'))
  }

  /** Why nothing more can be asked. */
  get ended(): BrokerError | undefined {
    return this.#over
  }

  assertOpen(): void {
    if (this.#over) throw this.#over
  }

  /** Begins nothing more; what is in flight goes on. */
  refuse(): void {
    this.#over ??= new BrokerError('CLOSED', 'this Broker was closed; use another: connect()')
  }

  /** Ends the connection in agreement with the broker: no event of it is lost. */
  async finish(): Promise<void> {
    this.refuse()
    const connection = this.#connection
    if (!connection) return
    const late = () => noAnswer(connection.path, 'the end of the connection', this.timeout)
    await within(connection.finish(), { timeout: this.timeout, late })
  }

  close(): void {
    this.refuse()
    this.#connection?.close(this.#over!)
    for (const line of this.lines) line.forget()
    this.spare.retire()
  }

  async #tryOnce(): Promise<Connection> {
    const delay = backOff(this.#failures)
    if (delay > 0) await sleep(delay, undefined, { ref: false })
    this.assertOpen()
    const where = socketPath(this.#options.socket)
    try {
      return await this.spare.lend(async () => {
        const connection = Connection.open(where, introduction(this.#options, leasesAt(where.path)))
        this.#adopt(connection)
        return connection
      })
    } catch (error) {
      this.#failures++
      this.#lastFailure = error
      throw isAway(error) ? error : cannotConnect(where.path, error)
    }
  }

  /** A connection that ends soon counts as one more failure, so that a broker in a crash loop is not hammered. */
  #adopt(connection: Connection): void {
    const since = performance.now()
    this.#connection = connection
    connection.onEnd = () => {
      this.#connection = undefined
      this.#lastFailure = connection.ended
      this.#welcomed ||= connection.welcomed
      // The slot of the connection is the next one's: in a full table another would take it.
      this.spare.keep()
      if (connection.replaced) this.#failures = 0
      else this.#failures = performance.now() - since > LONGEST_DELAY ? 1 : this.#failures + 1
      if (this.#options.reconnect === false) this.#over ??= connection.ended
      else void this.#comeBack()
    }
    for (const line of this.lines) line.moveTo(connection)
  }

  /** Leases are worth a connection, for as long as it takes; but what serves keeps the process alive, not they. */
  async #comeBack(): Promise<void> {
    while (this.lines.size > 0 && !this.#over && !this.#connection) {
      await this.#reach({ deadline: Number.POSITIVE_INFINITY }).catch(() =>
        sleep(LONGEST_DELAY, undefined, { ref: false }),
      )
    }
  }

  /** Why there is no connection, after `timeout` ms. */
  away(): BrokerError {
    if (hasCode(this.#lastFailure, 'LIMIT')) return this.#lastFailure as BrokerError
    return awayTooLong(socketPath(this.#options.socket).path, this.#lastFailure, this.timeout)
  }
}

/** Absent keys, not undefined ones, as the types have it. */
function introduction(
  { client, token = process.env['FD_BROKER_TOKEN'] || undefined }: ConnectOptions,
  leases: number[],
): Introduction {
  return {
    ...(client !== undefined && { client }),
    ...(token !== undefined && { token }),
    ...(leases.length > 0 && { leases }),
  }
}
