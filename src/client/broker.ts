// The client of a broker.

import type { HolderView, NameView, ReloadChanges } from '../protocol/messages.ts'
import { within } from './abort.ts'
import { acquire } from './acquire.ts'
import { type BrokerEvent, EventFeed } from './events.ts'
import { requireKnownKeys } from './known-keys.ts'
import type { Lease } from './lease.ts'
import { requireMilliseconds } from './milliseconds.ts'
import {
  type Abortable,
  ACQUIRE_KEYS,
  type AcquireOptions,
  CONNECT_KEYS,
  type ConnectOptions,
  type DrainOptions,
  type DrainTarget,
  type HistoryOptions,
  type HoldersOptions,
  type PauseOptions,
  type ReloadOptions,
} from './options.ts'
import { rehearseMeanwhile } from './rehearsal.ts'
import { Session } from './session.ts'

const CLOSE_PATIENCE = 1000
/** The broker itself gives up sooner. */
const UPGRADE_PATIENCE = 30_000

/** Which broker gave way to which. */
export interface Upgraded {
  from: { pid: number; version: string }
  to: { pid: number; version: string }
}

/** What `stats` answers: counters of the broker, by name. */
export type Stats = Record<string, unknown>

/**
 * One broker. It connects on first use, keeps trying for `timeout` ms while the broker is away, and connects again after a
 * loss. The process is kept alive only while a request waits for its answer.
 *
 * Every method rejects with a BrokerError (`code` says which row of docs/errors.md), or with the reason of its `signal`.
 */
export class Broker {
  readonly #options: ConnectOptions
  readonly #session: Session
  readonly #feeds = new Set<EventFeed>()

  constructor(options: ConnectOptions = {}) {
    requireKnownKeys('connect', options, CONNECT_KEYS)
    requireMilliseconds('connect: timeout', options.timeout)
    this.#options = options
    this.#session = new Session(options)
  }

  /**
   * A lease on `name`, with its sockets. Rejects among others with DENIED (policy, or no such name), BUSY or PAUSED (no room and
   * no `wait`), TIMEOUT (no room within `wait`), ENDED (that generation is superseded), SYSTEM (this process has no free descriptor).
   */
  acquire(name: string, options: AcquireOptions = {}): Promise<Lease> {
    return rehearseMeanwhile(acquire(this.#session, name, options, ACQUIRE_KEYS))
  }

  /** Every name that this user may see, with its sockets. */
  async list(options: Abortable = {}): Promise<NameView[]> {
    const { message } = await this.#session.ask('list', {}, options)
    return message.sockets as NameView[]
  }

  /**
   * The leases on `name`, or on all names, and then the processes that have a socket open without one (`lease` is null; with
   * `undeclared: false` they are not looked for). NOT_FOUND, or DENIED for who may not list.
   */
  async holders(name?: string, { undeclared, unseen, ...options }: HoldersOptions = {}): Promise<HolderView[]> {
    const { message } = await this.#session.ask('holders', given({ name, undeclared }), options)
    if (message.unseen !== undefined) unseen?.(message.unseen as number)
    return message.holders as HolderView[]
  }

  /** What the broker counts since its start. For viewers. */
  async stats(options: Abortable = {}): Promise<Stats> {
    const { id: _id, ok: _ok, ...stats } = (await this.#session.ask('stats', {}, options)).message
    return stats
  }

  /** What happened, the oldest first; the broker keeps the last 1,000. `since`: ms since the epoch. */
  async history({ signal, ...asked }: HistoryOptions = {}): Promise<BrokerEvent[]> {
    const { message } = await this.#session.ask('history', given(asked), { signal })
    return message.events as BrokerEvent[]
  }

  /**
   * What happens from the first next() on, as it happens; on a connection of its own. It connects again for as long as it takes when the
   * broker goes away, and says `reconnected` then: what happened meanwhile is lost. Ends by `break`, `signal` or close(). Rejects with
   * what goes wrong at first; later with DENIED, UNSUPPORTED or VERSION only, and with LIMIT when 65,536 events were not read.
   */
  async *events(options: Abortable = {}): AsyncGenerator<BrokerEvent, void, undefined> {
    this.#session.assertOpen()
    const feed = new EventFeed(new Session(this.#options))
    this.#feeds.add(feed)
    try {
      yield* feed.read(options)
    } finally {
      this.#feeds.delete(feed)
    }
  }

  /**
   * Asks the holders of a name, or of one lease, to stop accepting, finish and release; grants go on. `timeout`: ms to do so,
   * instead of the name's drain_timeout; the earlier deadline holds. Resolves when they have been asked. For admins.
   */
  async drain(target: DrainTarget, { timeout, ...options }: DrainOptions = {}): Promise<void> {
    await this.#session.ask('drain', { ...target, ...(timeout !== undefined && { timeout }) }, options)
  }

  /** Grants nothing on `name` until resume(); with `drain`, holders are drained too, so that connections queue. For admins. */
  async pause(name: string, { drain, ...options }: PauseOptions = {}): Promise<void> {
    await this.#session.ask('pause', { name, ...(drain !== undefined && { drain }) }, options)
  }

  /** Grants again; those who wait are served first. For admins. */
  async resume(name: string, options: Abortable = {}): Promise<void> {
    await this.#session.ask('resume', { name }, options)
  }

  /**
   * Puts the broker that is installed now in place of the one that runs, which gives way only when the new one has taken everything
   * over. Resolves with which has given way to which; SYSTEM or TIMEOUT when the old one goes on. For admins.
   */
  async upgrade({ signal }: Abortable = {}): Promise<Upgraded> {
    const connection = await this.#session.connection({ deadline: performance.now() + this.#session.timeout, signal })
    const { message } = await connection.request('upgrade', {}, { signal, timeout: UPGRADE_PATIENCE })
    return { from: message.from, to: message.to } as Upgraded
  }

  /**
   * Reads the broker's config file again, and applies it or, with `dryRun`, says what that would change. Rejects with INVALID and every
   * fault of a faulty file, SYSTEM where a socket could not be opened or changed; nothing has changed then. For admins.
   */
  async reload({ dryRun = false, ...options }: ReloadOptions = {}): Promise<ReloadChanges> {
    const { message } = await this.#session.ask('reload', dryRun ? { dryRun } : {}, options)
    const { id: _id, ok: _ok, part: _part, parts: _parts, ...changes } = message
    return changes as unknown as ReloadChanges
  }

  /** Asks every holder to drain, and the broker to end when they have gone or drain_timeout is over. Resolves at once. For admins. */
  async shutdown(options: Abortable = {}): Promise<void> {
    await this.#session.ask('shutdown', {}, options)
  }

  /**
   * Releases the leases taken here, and ends the connection; requests in flight reject with CLOSED. Twice is once.
   * One that is served drains; after a second the broker is told all the same, and the draining goes on.
   */
  async close(): Promise<void> {
    this.#session.refuse()
    for (const feed of this.#feeds) feed.close()
    const released = Promise.allSettled([...this.#session.leases].map((lease) => lease.release()))
    // A broker that does not answer learns of it by the end of the connection.
    await within(released, { timeout: CLOSE_PATIENCE }).catch(() => {})
    this.#session.close()
  }

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

type Given<Arguments> = { [Key in keyof Arguments]?: NonNullable<Arguments[Key]> }

/** Absent keys, not undefined ones: the wire has no value for undefined. */
function given<Arguments extends object>(asked: Arguments): Given<Arguments> {
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as Given<Arguments>
}
