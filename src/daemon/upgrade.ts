// The broker gives way to the one that is installed now: that one is loaded (prepared), this one stops (frozen), that one takes
// everything over (ready), and only then is this one over. Whatever fails or is late before, this one goes on as if nothing had been.

import type { ErrorCode } from '../protocol/errors.ts'
import { VERSION } from '../protocol/version.ts'
import type { KeeperEvent } from '../sys/index.ts'
import type { Keeping } from './keeping.ts'
import type { Log } from './log.ts'

/** Time to load; clients notice nothing of it. */
const LOAD_MS = 10_000
/** Requests wait so long at most, with what ends the new one and lets this one go on. */
const FROZEN_MS = 350
/** A host that is busy for a moment may make one late; it is tried again, after a pause in which clients are served. */
const TRIES = 3
const PAUSE_MS = 500

interface Which {
  pid: number
  version: string
}

export type Outcome = { from: Which; to: Which } | { code: ErrorCode; message: string }

export interface UpgradeHost {
  /** Receives no sd_notify message any more; serves on. */
  hush(): Promise<void>
  unhush(): void
  /** Accepts, reads and decides nothing. */
  freeze(): void
  thaw(): void
  /** Another is the broker now. */
  retire(): void
  /** Told to stop: another broker would not know of it. */
  isStopping(): boolean
}

interface Attempt {
  done(outcome: Outcome): void
  timer: NodeJS.Timeout
  /** The keeper was asked for a new broker, and has not said that there is none. */
  asked: boolean
  to?: Which
  frozen: boolean
  tries: number
  /** Why it was given up, if that was our decision. */
  why?: { code: ErrorCode; message: string }
}

export class Upgrade {
  private readonly keeping: Keeping
  private readonly host: UpgradeHost
  private readonly log: Log
  private attempt: Attempt | undefined
  private readonly onOver: (() => void)[] = []

  constructor(keeping: Keeping, host: UpgradeHost, log: Log) {
    this.keeping = keeping
    this.host = host
    this.log = log
    keeping.onUpgrade = (event) => this.hear(event)
  }

  /** Without its keeper a broker has nobody to start the new one. */
  get possible(): boolean {
    return !this.keeping.gone
  }

  /** `done` is called once: before this broker ends, or when it goes on. */
  start(done: (outcome: Outcome) => void): void {
    if (this.host.isStopping()) return done({ code: 'BUSY', message: 'the broker is stopping: start it anew instead' })
    if (this.attempt) return done({ code: 'BUSY', message: 'another upgrade is under way: wait for its end' })
    const late = () => this.giveUp('TIMEOUT', `the new broker was not loaded within ${LOAD_MS / 1000} s, and was ended`)
    this.attempt = { done, timer: setTimeout(late, LOAD_MS), asked: true, frozen: false, tries: 1 }
    this.log.info('upgrade: starting what is installed now')
    this.keeping.keeper.upgrade()
  }

  /** Ends an upgrade that has not come to pass; nothing when there is none. */
  giveUp(code: ErrorCode, message: string): void {
    if (!this.attempt || this.attempt.why) return
    this.attempt.why = { code, message }
    clearTimeout(this.attempt.timer)
    if (this.attempt.asked) this.keeping.keeper.abortUpgrade()
    else this.end(this.attempt, this.attempt.why)
  }

  /** As giveUp(); resolves when who asked for it has been answered. */
  async stop(code: ErrorCode, message: string): Promise<void> {
    this.giveUp(code, message)
    if (this.attempt) await new Promise<void>((resolve) => this.onOver.push(resolve))
  }

  private hear(event: Extract<KeeperEvent, { type: 'prepared' | 'failed' | 'commit' }>): void {
    const { attempt } = this
    if (!attempt) return
    clearTimeout(attempt.timer)
    if (event.type === 'prepared') void this.stopFor(attempt, event)
    else if (event.type === 'failed') this.failed(attempt, event.why)
    else this.committed(attempt)
  }

  /** The new broker has not been told to take over when that fails. */
  private async stopFor(attempt: Attempt, next: Which): Promise<void> {
    try {
      await this.freeze(attempt, next)
    } catch (error) {
      if (attempt.frozen) this.host.thaw()
      else this.host.unhush()
      attempt.frozen = false
      this.log.error({ err: error }, 'upgrade: this broker cannot stop for the new one')
      if (this.attempt === attempt)
        this.giveUp('SYSTEM', `this broker cannot stop for the new one: ${(error as Error).message}`)
    }
  }

  private async freeze(attempt: Attempt, { pid, version }: Which): Promise<void> {
    if (attempt.why) return
    attempt.to = { pid, version }
    await this.host.hush()
    // It has failed meanwhile, and there may be another.
    if (this.attempt !== attempt || attempt.why) return this.attempt?.frozen ? undefined : this.host.unhush()
    attempt.frozen = true
    this.log.info({ pid, version }, 'upgrade: the new broker is loaded; this one stops')
    this.host.freeze()
    this.keeping.keeper.frozen()
    const late = () => this.giveUp('TIMEOUT', `the new broker had not taken over within ${FROZEN_MS} ms, and was ended`)
    attempt.timer = setTimeout(late, FROZEN_MS)
  }

  private failed(attempt: Attempt, why: string): void {
    if (attempt.frozen) this.host.thaw()
    if (this.possible && attempt.frozen && attempt.why?.code === 'TIMEOUT' && attempt.tries < TRIES)
      return this.again(attempt)
    this.end(attempt, attempt.why ?? { code: 'SYSTEM', message: why })
  }

  private end(attempt: Attempt, { code, message }: { code: ErrorCode; message: string }): void {
    const outlook = this.host.isStopping() ? 'ends' : 'goes on'
    this.log.error({ code, why: message, outlook: `this broker ${outlook}` }, 'upgrade failed')
    const words = `the log has its last words; this broker (pid ${process.pid}) ${outlook}`
    // Several lines are the faults of a configuration.
    this.over(attempt, { code, message: `${message}${message.includes('\n') ? '\n' : '; '}${words}` })
  }

  private over({ done }: Attempt, outcome: Outcome): void {
    this.attempt = undefined
    done(outcome)
    for (const resolve of this.onOver.splice(0)) resolve()
  }

  private again(attempt: Attempt): void {
    this.log.warn('upgrade: the new broker was late; another is tried')
    const { done, tries } = attempt
    const late = () => this.giveUp('TIMEOUT', `the new broker was not loaded within ${LOAD_MS / 1000} s, and was ended`)
    const start = () => {
      next.timer = setTimeout(late, LOAD_MS)
      next.asked = true
      this.keeping.keeper.upgrade()
    }
    const next: Attempt = { done, tries: tries + 1, asked: false, frozen: false, timer: setTimeout(start, PAUSE_MS) }
    this.attempt = next
  }

  private committed(attempt: Attempt): void {
    const { to } = attempt
    this.log.info({ ...to }, 'upgrade: the new broker has taken over; this one ends')
    this.over(attempt, { from: { pid: process.pid, version: VERSION }, to: to! })
    this.host.retire()
  }
}
