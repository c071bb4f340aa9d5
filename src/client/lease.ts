// A lease as its holder sees it.

import { BrokerError } from '../protocol/errors.ts'
import type { SocketDescription } from '../protocol/messages.ts'
import { type Answer, closeAll, type Message } from './answers.ts'
import { Descriptors } from './descriptors.ts'
import { leaseOver } from './failures.ts'
import { keepBacklog } from './keep-backlog.ts'
import { requireKnownKeys } from './known-keys.ts'
import { type LeaseDrain, LeaseEmitter, type LeaseEnded } from './lease-events.ts'
import type { LeaseLine } from './lease-line.ts'
import { Listening, type Server } from './listening.ts'
import type { Abortable } from './options.ts'
import { ReadyWarning } from './ready-warning.ts'
import type { ReceivedSockets } from './received-sockets.ts'
import { Renewal } from './renewal.ts'
import { Replacing } from './replacing.ts'
import { SERVE_KEYS, type ServeOptions, type ServeResult, Serving } from './serving.ts'

/** `lost`: the connection to the broker is gone, and with it the lease; its sockets stay open. */
export type LeaseState = 'granted' | 'ready' | 'draining' | 'ended' | 'lost'

/** What the broker answers to ready(). */
export interface ReadyResult {
  state: 'ready' | 'draining'
  /** The lease's generation is the current one now. */
  promoted: boolean
}

/**
 * The right to use a name's sockets, with the sockets. Events: `drain` ({reason, deadline}): stop accepting, finish, release();
 * `ended` ({reason}): the lease is over and not by your release(); `replaced` ({sockets}): the name has other sockets now, which
 * servers started by listen() and serve() use already.
 *
 * The sockets are shared with the broker and with other holders, down to the status flags of the open file description
 * (open(2)): a holder that changes O_NONBLOCK or a socket option changes it for all. Node sets O_NONBLOCK.
 */
export class Lease extends LeaseEmitter {
  readonly name: string
  /** The broker's number for it, as `fd-broker holders` shows it. */
  readonly id: number
  readonly generation: string
  /** Milliseconds from the grant within which ready() must be called. */
  readonly readyWithin: number
  /** @internal What the broker said with the grant. */
  readonly grant: Message
  readonly #line: LeaseLine
  readonly #descriptors: Descriptors
  readonly #listening: Listening
  readonly #replacing: Replacing
  readonly #renewal: Renewal
  #sockets: readonly SocketDescription[]
  readonly #warning: ReadyWarning
  readonly #unreleased: Set<Lease>
  /** Whether one holder alone may accept; a broker that does not say might mean it. */
  readonly #exclusive: boolean
  #serving: Serving | undefined
  #drain: LeaseDrain | undefined
  #state: LeaseState
  #endedBy = ''
  #release: Promise<void> | undefined

  /** @internal Leases come from Broker.acquire(). */
  constructor(
    grant: Message,
    { sockets, fds }: ReceivedSockets,
    line: LeaseLine,
    unreleased: Set<Lease>,
    fetch: () => Promise<ReceivedSockets>,
  ) {
    super()
    this.grant = grant
    this.name = String(grant.name)
    this.id = line.lease
    this.generation = String(grant.generation)
    this.readyWithin = Number(grant.readyWithin)
    this.#sockets = sockets
    this.#exclusive = grant.mode !== 'shared'
    this.#state = grant.state === 'ready' ? 'ready' : 'granted'
    this.#line = line
    this.#descriptors = new Descriptors(this.name, fds)
    this.#listening = new Listening(this.name, sockets, this.#descriptors)
    this.#replacing = new Replacing(this.#descriptors, this.#listening)
    this.#renewal = new Renewal({ name: this.name, fetch, take: (received) => this.#replace(received) })
    this.#warning = new ReadyWarning(this.name, this.readyWithin)
    if (this.#state === 'ready' || grant.notify !== undefined) this.#warning.cancel()
    this.#unreleased = unreleased.add(this)
    line.connect({
      onEvent: (event) => this.#onEvent(event),
      onLost: () => this.#end('lost', 'lost'),
      onOutdated: () => this.#renewal.fetch(),
      sockets: () => this.#sockets,
    })
  }

  /** Where the lease stands, as far as this process has heard. */
  get state(): LeaseState {
    return this.#state
  }

  /** What the sockets are, in the order of the config. `address` is in the config's syntax, with the real port. */
  get sockets(): readonly SocketDescription[] {
    return this.#sockets
  }

  /**
   * The number of a descriptor for the name's one socket, so that `server.listen(lease)` works: a copy that belongs to whoever
   * listens on it; the lease never closes it. Throws INVALID for a name with several sockets, and in a cluster worker, where Node
   * would open that number in the primary.
   */
  get fd(): number {
    this.#listening.assertOneSocket()
    return this.fds[0]!
  }

  /** As `fd`, for each of `sockets` in order; the same numbers each time. */
  get fds(): readonly number[] {
    const fds = this.#descriptors.handOut()
    keepBacklog(this.#descriptors, this.sockets)
    return fds
  }

  /**
   * Makes `server` serve all sockets of the lease: a net, tls, http, https or http2 server, or a node:dgram socket. Resolves when
   * it listens. Closing the server stops all of them; the lease goes on until release().
   * Rejects with INVALID when the server does not fit the sockets, SYSTEM, ENDED, or what the server's `error` event says.
   */
  listen(server: Server, { signal }: Abortable = {}): Promise<void> {
    return this.#listening.start(server, signal)
  }

  /**
   * Tells the broker that this process serves. Twice is once. On an exclusive name the answer is held until the former holders
   * are gone: accept only when this has resolved; `signal` stops waiting (the broker is not asked to forget it).
   * Rejects with ENDED (expired, superseded, released), with CLOSED (the broker was away for `timeout` ms, or did not answer for so
   * long where it holds no answer; the lease goes on, and ready() may be called again), or with the signal's reason.
   */
  async ready({ signal }: Abortable = {}): Promise<ReadyResult> {
    if (this.#state === 'ended' || this.#state === 'lost') throw this.#over()
    this.#warning.cancel()
    const take = (answer: Answer) => this.#onReady(answer.message)
    const { message } = await this.#line.request('ready', {
      signal,
      answered: take,
      unwanted: take,
      held: this.#exclusive,
    })
    return { state: message.state === 'draining' ? 'draining' : 'ready', promoted: message.promoted === true }
  }

  /**
   * Serves until the lease has been given back: listens, reports ready (an exclusive name: first ready, then listens), and when
   * asked to drain stops accepting at once, lets every client finish, and releases. docs/sdk.md says how. It drains on the
   * `drain` event, on release(), when the broker ends the lease, when `signal` aborts, and with `signals` on SIGTERM and SIGINT.
   *
   * Rejects when listening or ready() fails, or `signal` aborts before it serves; the lease is released then. Once in a lease.
   */
  async serve(server: Server, options: ServeOptions = {}): Promise<ServeResult> {
    requireKnownKeys('serve', options, SERVE_KEYS)
    if (this.#serving) throw new BrokerError('INVALID', `the lease on ${this.name} is served already`)
    const serving = new Serving(server, options, {
      open: (signal) => this.#open(server, signal),
      stopAccepting: () => this.#listening.stop(),
      giveBack: () => this.#giveBack(),
    })
    this.#serving = serving
    if (this.#drain) serving.drain(this.#drain)
    return await serving.run()
  }

  /**
   * Gives the lease back: servers started by listen() stop accepting (their connections live on), the lease's descriptors are
   * closed, the broker is told; one that is away, or does not answer for `timeout` ms, is told later. Twice is once; also after the
   * connection was lost. While serve() runs, it drains first.
   */
  release(): Promise<void> {
    return this.#serving?.release() ?? this.#giveBack()
  }

  /** The descriptors themselves, in the order of `sockets`: the caller owns them from now on, and the lease has none. */
  take(): number[] {
    return this.#descriptors.take()
  }

  /** release(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  #giveBack(): Promise<void> {
    this.#release ??= this.#returnAll()
    return this.#release
  }

  async #open(server: Server, signal: AbortSignal): Promise<void> {
    if (!this.#exclusive) await this.listen(server, { signal })
    const { state } = await this.ready({ signal })
    if (this.#exclusive && state === 'ready') await this.listen(server, { signal })
  }

  async #returnAll(): Promise<void> {
    this.#unreleased.delete(this)
    this.#warning.cancel()
    this.#renewal.close()
    this.#replacing.close()
    this.#listening.stop()
    this.#descriptors.close()
    this.#endedBy ||= 'released'
    if (this.#state !== 'lost') this.#state = 'ended'
    await this.#line.release()
  }

  #onReady({ state }: Message): void {
    if (this.#state === 'granted' || this.#state === 'ready') this.#state = state === 'draining' ? 'draining' : 'ready'
  }

  #onEvent(answer: Answer): void {
    const { message, fds } = answer
    const { event, reason, deadline } = message
    if (event === 'replaced' && !this.#endedBy) return this.#renewal.hear(answer)
    closeAll(fds)
    if (this.#endedBy) return
    if (event === 'drain') {
      // After a restart the broker says again what it may not have got to say before.
      if (this.#drain?.deadline === deadline) return
      this.#state = 'draining'
      this.#warning.cancel()
      this.#drain = { reason, deadline } as LeaseDrain
      this.#serving?.drain(this.#drain)
      this.announce('drain', this.#drain)
    }
    if (event === 'ended') this.#end('ended', reason as LeaseEnded['reason'])
  }

  #replace({ sockets, fds }: ReceivedSockets): void {
    if (!this.#descriptors.closed) this.#replacing.replace(this.#sockets, sockets, fds)
    this.#sockets = sockets
    if (!this.#descriptors.closed) return this.announce('replaced', { sockets })
    if (this.listenerCount('replaced') === 0) return closeAll(fds)
    this.announce('replaced', { sockets, fds: fds.map((fd) => fd.release()) })
  }

  #end(state: 'ended' | 'lost', reason: LeaseEnded['reason']): void {
    if (this.#endedBy) return
    this.#endedBy = reason
    this.#state = state
    this.#renewal.close()
    this.#warning.cancel()
    if (reason !== 'lost') this.#serving?.end(reason)
    this.announce('ended', { reason })
  }

  #over(): BrokerError {
    return leaseOver(this.name, this.#endedBy)
  }
}
