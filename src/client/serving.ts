// The life of lease.serve(): open, serve, drain, give back. What asks it to drain (an event, a signal, the caller) only says why
// and until when; the first reason counts, and the earliest deadline.

import { notify } from '../sys/index.ts'
import { Gate } from './gate.ts'
import type { EndReason, LeaseDrain } from './lease-events.ts'
import type { Server } from './listening.ts'
import { requireMilliseconds } from './milliseconds.ts'
import { onCloseCall } from './on-close-call.ts'
import { type DrainTimes, ServerWork } from './server-work.ts'
import { startTimer } from './timer.ts'

/** How to serve. Everything is optional. */
export interface ServeOptions {
  /**
   * Milliseconds that a drain may take, Infinity: as long as it likes; the deadline of the broker's `drain` holds where it is
   * earlier. Default 30,000.
   */
  drainTimeout?: number | undefined
  /** Drain on SIGTERM and SIGINT; the second one ends the process as it would without. Default false. */
  signals?: boolean | undefined
  /** Drains when it aborts. */
  signal?: AbortSignal | undefined
  /** Tell the supervisor (NOTIFY_SOCKET, sd_notify(3)) READY=1 and STOPPING=1; warns where that fails. Default false. */
  notify?: boolean | undefined
}

export const SERVE_KEYS: Record<keyof ServeOptions, true> = {
  drainTimeout: true,
  signals: true,
  signal: true,
  notify: true,
}

/** Why it ended: as the `drain` or `ended` event says, or by release(), a signal, `signal`, or the server's own close(). */
export type ServeEnd = LeaseDrain['reason'] | EndReason | 'released' | 'SIGTERM' | 'SIGINT' | 'aborted' | 'closed'

/** How serving went. */
export interface ServeResult {
  reason: ServeEnd
  /** Connections with something under way that were destroyed at the deadline. */
  cut: number
}

/** What serving does to its lease. */
export interface ServedLease {
  open(signal: AbortSignal): Promise<void>
  stopAccepting(): void
  giveBack(): Promise<void>
}

const DRAIN_TIMEOUT = 30_000
const IDLE_GRACE = 5000
/** The lease is given back so much before the broker's deadline, lest it is taken for late. */
const MARGIN = 100
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** One that waits for READY=1 in vain ends the worker, which serves all the same until then. */
function tellSupervisor(state: string): void {
  const onError = ({ message }: Error) =>
    process.emitWarning(`the supervisor could not be told ${state}: ${message}`, {
      type: 'FdBrokerWarning',
      code: 'FD_BROKER_NOTIFY',
    })
  notify(state, { onError })
}

export class Serving {
  readonly #server: Server
  readonly #options: ServeOptions
  readonly #lease: ServedLease
  readonly #work: ServerWork
  readonly #interrupt = new AbortController()
  readonly #asked = new Gate()
  readonly #late = new Gate()
  #running: Promise<ServeResult> | undefined
  #opened = false
  #closed = false
  #end: ServeEnd | undefined
  /** On performance.now()'s clock. */
  #deadline = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** Throws INVALID, and has touched nothing then. */
  constructor(server: Server, options: ServeOptions, lease: ServedLease) {
    requireMilliseconds('serve: drainTimeout', options.drainTimeout)
    this.#server = server
    this.#options = options
    this.#lease = lease
    this.#work = new ServerWork(server)
  }

  run(): Promise<ServeResult> {
    this.#running = this.#serve()
    return this.#running
  }

  /** As the broker asks; again with an earlier deadline. */
  drain({ reason, deadline }: LeaseDrain): void {
    const left = Math.max(0, deadline - Date.now())
    this.#stop(reason, left - Math.min(MARGIN, left / 10))
  }

  /** The broker has ended the lease. Before it served, ready() says so. */
  end(reason: EndReason): void {
    if (this.#opened) this.#stop(reason)
  }

  async release(): Promise<void> {
    this.#stop('released')
    await this.#running?.catch(() => {})
    await this.#lease.giveBack()
  }

  async #serve(): Promise<ServeResult> {
    const endWatch = this.#watch()
    try {
      await this.#open()
      await this.#asked.opened
      return { reason: this.#end!, cut: await this.#drain() }
    } finally {
      endWatch()
      this.#work.end()
      clearTimeout(this.#timer)
      await this.#lease.giveBack()
    }
  }

  async #open(): Promise<void> {
    const { signal } = this.#options
    signal?.throwIfAborted()
    if (this.#end !== undefined) return
    try {
      await this.#lease.open(this.#interrupt.signal)
      this.#opened = true
      if (this.#closed) this.#stop('closed')
      if (this.#options.notify) tellSupervisor('READY=1')
    } catch (error) {
      if (this.#end === undefined) throw error
      if (this.#end === 'aborted') throw signal!.reason
    }
  }

  #stop(end: ServeEnd, left = Number.POSITIVE_INFINITY): void {
    const { drainTimeout = DRAIN_TIMEOUT } = this.#options
    const first = this.#end === undefined
    this.#end ??= end
    if (!first && left === Number.POSITIVE_INFINITY) return
    const deadline = performance.now() + Math.min(left, drainTimeout)
    if (deadline < this.#deadline) {
      this.#deadline = deadline
      clearTimeout(this.#timer)
      this.#timer = startTimer(this.#late.open, deadline - performance.now())
    }
    if (!first) return
    if (this.#opened) this.#lease.stopAccepting()
    else this.#interrupt.abort()
    this.#asked.open()
  }

  async #drain(): Promise<number> {
    this.#lease.stopAccepting()
    if (this.#options.notify) tellSupervisor('STOPPING=1')
    await Promise.race([this.#work.finish(this.#times()), this.#late.opened])
    return this.#work.cut()
  }

  #times(): DrainTimes {
    const half = Math.max(0, this.#deadline - performance.now()) / 2
    return { grace: Math.min(IDLE_GRACE, half), half }
  }

  /** Everything but the broker that may ask for a drain. Returns what ends the watch. */
  #watch(): () => void {
    const { signal, signals } = this.#options
    // The first one may find a drain under way, as when a supervisor stops the worker that the broker has just told; it cuts nothing.
    const onSignal = (name: NodeJS.Signals) => {
      endSignals()
      this.#stop(name as ServeEnd)
    }
    const endSignals = () => {
      for (const name of SIGNALS) process.off(name, onSignal)
    }
    const onAbort = () => this.#stop('aborted')
    // A server that fails to open may close itself, and its error is to be told.
    const onClose = () => {
      this.#closed = true
      if (this.#opened) this.#stop('closed')
    }
    if (signals) for (const name of SIGNALS) process.on(name, onSignal)
    signal?.addEventListener('abort', onAbort)
    this.#server.on('close', onClose)
    const endCloseCall = onCloseCall(this.#server, onClose)
    return () => {
      endSignals()
      signal?.removeEventListener('abort', onAbort)
      this.#server.off('close', onClose)
      endCloseCall()
    }
  }
}
