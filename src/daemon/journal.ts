// Everything that is told of what happens: the log, the history, the counters and the subscribers. docs/logging.md has every line.

import type { StateRecord } from '../core/state.ts'
import type { Effect, PublishedEvent } from '../core/types.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import { HISTORY_MAX } from '../protocol/limits.ts'
import { isOp } from '../protocol/messages.ts'
import { quote } from '../protocol/quote.ts'
import { Durations } from './durations.ts'
import { History, type Occurrence, type PastEvent } from './history.ts'
import type { Counters } from './host.ts'
import { LineQuota } from './line-quota.ts'
import type { Log } from './log.ts'
import type { Session } from './session.ts'
import type { StateLog } from './state/state-log.ts'

/** Under these keys of the state the last events survive the broker: a ring, so that the state does not grow. */
const HISTORY_KEY = 'history/'

/** Told by a line of their own where they arise. */
const LOGGED_ELSEWHERE: ReadonlySet<string> = new Set(['repaired'])
const WARNINGS: ReadonlySet<string> = new Set(['denied', 'lost', 'rollback', 'expired', 'evicted', 'undeclared'])

interface HistoryRecord {
  seq: number
  event: Occurrence
}

const pastEvent = ({ seq, event }: HistoryRecord): PastEvent => ({ ...event, seq })

interface Noted {
  /** As the core published it; undefined when it is the shell's own. */
  event: PublishedEvent | undefined
  occurrence: Occurrence
  /** False when it is over the quota of lines. */
  logged: boolean
}

interface RefusalTold {
  code: ErrorCode
  why: string
  /** What the policy would have wanted. */
  missing?: string[]
  user: string
}

export class Journal {
  readonly history = new History()
  private readonly durations = new Durations()
  private readonly log: Log
  private readonly state: StateLog
  private readonly counters: Counters
  private readonly subscribers: ReadonlySet<Session>
  private readonly lines: LineQuota
  /** Events of the step that is under way, which are in the history. Those before `told` are told, those before `due` are to be told. */
  private noted: Noted[] = []
  private told = 0
  private due = 0
  private unsaved: StateRecord[] = []
  private saving: NodeJS.Immediate | undefined
  private announced: Occurrence | undefined

  constructor(log: Log, state: StateLog, counters: Counters, subscribers: ReadonlySet<Session>) {
    this.log = log
    this.state = state
    this.counters = counters
    this.subscribers = subscribers
    this.lines = new LineQuota((whose, lines) =>
      log.warn({ whose, lines }, 'log lines suppressed: over the quota of one user'),
    )
  }

  /** Goes on with the history of an earlier broker. */
  restore(values: ReadonlyMap<string, unknown>): void {
    const past = [...values]
      .filter(([key]) => key.startsWith(HISTORY_KEY))
      .map(([, value]) => pastEvent(value as HistoryRecord))
    this.history.restore(past)
    for (const event of this.history.select()) this.durations.tell(event as unknown as PublishedEvent)
  }

  /** What a step is going to tell. No peer waits until it is written: that is done at the end of this turn of the event loop. */
  note(effects: readonly Effect[]): void {
    this.tellPublished()
    if (this.announced !== undefined && effects.some(({ type }) => type === 'publish')) this.settle()
    this.noted = []
    this.told = this.due = 0
    for (const effect of effects) {
      if (effect.type !== 'publish') continue
      const noted = this.judge(this.durations.tell(effect.event), effect.event)
      this.noted.push(noted)
      if (isKept(noted)) this.keep(noted.occurrence)
    }
  }

  /** An event of the core, with what is known of its duration. Told by tellPublished(), or before whatever occurs next. */
  published(event: PublishedEvent): void {
    const noted = this.noted[this.due]
    if (noted?.event !== event) return this.occurred(this.durations.tell(event))
    this.due++
  }

  get owesTelling(): boolean {
    return this.told < this.due
  }

  /** What one comes to keeps neither the others from being told nor what follows them from being done. */
  tellPublished(): void {
    while (this.told < this.due) {
      const noted = this.noted[this.told++]!
      try {
        this.tell(noted)
      } catch (error) {
        this.log.error({ err: error, event: noted.occurrence.event }, 'an event could not be told')
      }
    }
  }

  /** An event that goes before whatever follows from it. Whoever announces it settles it in the same turn. */
  announce(occurrence: Occurrence): void {
    this.announced = occurrence
  }

  /** Tells what was announced, if it has not been told; with the code when it was refused. */
  settle(code?: ErrorCode): void {
    const occurrence = this.announced
    this.announced = undefined
    if (occurrence !== undefined) this.occurred(code === undefined ? occurrence : { ...occurrence, code })
  }

  occurred(occurrence: Occurrence): void {
    this.settle()
    this.tellPublished()
    const noted = this.judge(occurrence)
    this.tell(noted)
    if (isKept(noted)) this.keep(occurrence)
  }

  private tell({ occurrence, logged }: Noted): void {
    this.counters.names.count(occurrence)
    for (const session of this.subscribers) this.tellTo(session, occurrence)
    const level = WARNINGS.has(occurrence.event) ? 'warn' : 'info'
    if (!logged || LOGGED_ELSEWHERE.has(occurrence.event) || !this.log.isLevelEnabled(level)) return
    const { event, at: _, ...details } = occurrence
    this.log[level](details, event)
  }

  /** Who misses one is to notice: it connects again, and asks for the history. */
  private tellTo(session: Session, occurrence: Occurrence): void {
    try {
      session.tell(occurrence)
    } catch (err) {
      const { pid } = session.peer
      this.log.error({ err, event: occurrence.event, pid }, 'an event could not be told: the connection is closed')
      session.close()
    }
  }

  private judge(occurrence: Occurrence, event?: PublishedEvent): Noted {
    return { event, occurrence, logged: this.takes(occurrence, occurrence.at) }
  }

  private keep(occurrence: Occurrence): void {
    const seq = this.history.add(occurrence)
    if (!this.state.keeps) return
    const value: HistoryRecord = { seq, event: occurrence }
    this.unsaved.push({ key: `${HISTORY_KEY}${seq % HISTORY_MAX}`, value })
    this.saving ??= setImmediate(() => this.save())
  }

  private takes({ uid, name }: Occurrence, now: number): boolean {
    return this.lines.takes(uid === undefined ? `name ${name}` : `uid ${uid}`, now)
  }

  /** Told before it is sent. `asked` is the request as it came, unchecked. */
  refused({ peer, client }: Session, asked: Record<string, unknown>, { user, ...refusal }: RefusalTold): void {
    if (!this.lines.takes(`uid ${peer.uid}`, Date.now())) return
    const { op, name, lease } = asked
    const details = {
      ...(op !== undefined && { op: typeof op === 'string' && isOp(op) ? op : quote(String(op)) }),
      ...(typeof name === 'string' && { name: name.slice(0, 128) }),
      ...(typeof lease === 'number' && { lease }),
      ...refusal,
      pid: peer.pid,
      uid: peer.uid,
      user,
      ...(client !== undefined && { client }),
    }
    this.log[refusal.code === 'DENIED' ? 'warn' : 'info'](details, 'refused')
  }

  /** A line about a peer that it can cause again and again. */
  warnOf({ pid, uid }: { pid: number; uid: number }, details: Record<string, unknown>, message: string): void {
    if (this.lines.takes(`uid ${uid}`, Date.now())) this.log.warn({ pid, uid, ...details }, message)
  }

  /** What is in the history, and was not written yet. */
  save(): void {
    this.saving = undefined
    this.state.append(this.unsaved)
    this.unsaved = []
  }

  close(): void {
    clearImmediate(this.saving)
    this.save()
    this.lines.summarise()
  }
}

/** A flood of refusals must not wash the rest out of the history. */
function isKept({ occurrence, logged }: Noted): boolean {
  return logged || occurrence.event !== 'denied'
}
