// The broker's events, on a connection of their own: a subscription belongs to its connection, and is made again on the next
// one after a loss.

import { BrokerError, type ErrorCode } from '../protocol/errors.ts'
import type { Message } from './answers.ts'
import type { Connection } from './connection.ts'
import { hasCode } from './failures.ts'
import { Gate } from './gate.ts'
import type { Abortable } from './options.ts'
import type { Session } from './session.ts'

/** What happens in the broker: `granted ready promoted rollback drain released died expired evicted denied` and more to come. */
export interface BrokerEvent {
  event: string
  /** Milliseconds since the epoch. */
  at: number
  name?: string
  lease?: number
  [detail: string]: unknown
}

/** Events that nobody has read yet; a program that lets more gather does not read them at all. */
const UNREAD_MAX = 65_536

/** No patience helps against these. */
const FINAL: readonly ErrorCode[] = ['DENIED', 'UNSUPPORTED', 'VERSION']

export class EventFeed {
  readonly #session: Session
  #unread: BrokerEvent[] = []
  #news = new Gate()
  /** An AbortSignal's reason may be anything, null too. */
  #failure: { reason: unknown } | undefined

  constructor(session: Session) {
    this.#session = session
  }

  async *read({ signal }: Abortable): AsyncGenerator<BrokerEvent, void, undefined> {
    const abort = () => this.#fail(signal?.reason)
    signal?.addEventListener('abort', abort)
    let connection: Connection | undefined
    try {
      signal?.throwIfAborted()
      connection = await this.#subscribeInTime(signal)
      for (;;) {
        for (const event of this.#unread.splice(0)) yield event
        if (this.#failure) throw this.#failure.reason
        if (connection.ended) {
          connection = await this.#subscribeAgain(signal)
          // What happened meanwhile is not told again.
          yield { event: 'reconnected', at: Date.now() }
        } else if (this.#unread.length === 0) {
          await this.#arrival(connection)
        }
      }
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#session.close()
    }
  }

  close(): void {
    this.#session.close()
    this.#fail(new BrokerError('CLOSED', 'this Broker was closed; use another: connect()'))
  }

  async #subscribeInTime(signal: AbortSignal | undefined): Promise<Connection> {
    const deadline = performance.now() + this.#session.timeout
    for (;;) {
      const connection = await this.#session.connection({ deadline, signal })
      try {
        await this.#subscribe(connection, signal)
        return connection
      } catch (error) {
        if (!this.#session.mayRetry(connection, error) || performance.now() >= deadline) throw error
      }
    }
  }

  /** For as long as it takes. The session waits before each attempt, longer after each that fails. */
  async #subscribeAgain(signal: AbortSignal | undefined): Promise<Connection> {
    for (;;) {
      let connection: Connection | undefined
      try {
        connection = await this.#session.connection({ deadline: Number.POSITIVE_INFINITY, signal })
        await this.#subscribe(connection, signal)
        return connection
      } catch (error) {
        if (signal?.aborted || this.#session.ended || hasCode(error, ...FINAL)) throw error
        connection?.close(error as BrokerError)
      }
    }
  }

  async #subscribe(connection: Connection, signal: AbortSignal | undefined): Promise<void> {
    connection.onNews = (message) => this.#take(message)
    await connection.request('events', {}, { signal, timeout: this.#session.timeout })
  }

  async #arrival(connection: Connection): Promise<void> {
    this.#news = new Gate()
    const { onEnd } = connection
    connection.onEnd = () => {
      onEnd()
      this.#news.open()
    }
    connection.keepAlive(true)
    await this.#news.opened
    connection.keepAlive(false)
    connection.onEnd = onEnd
  }

  #take(message: Message): void {
    this.#unread.push(message as BrokerEvent)
    if (this.#unread.length > UNREAD_MAX) {
      this.#unread = []
      this.#fail(new BrokerError('LIMIT', `${UNREAD_MAX} events were not read: read them as they come`))
    }
    this.#news.open()
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#news.open()
  }
}
