// Performs what the core decided: packets to peers, timers, signals, and what the other parts of the broker are told of.

import { hasHolder, type Registry } from '../core/registry.ts'
import type { ConnectionId, CoreEvent, Effect, EndReason, LeaseTerms, PublishedEvent } from '../core/types.ts'
import { SystemError, yieldProcessor } from '../sys/index.ts'
import { ENDINGS } from './durations.ts'
import type { Guard } from './guard.ts'
import type { Counters } from './host.ts'
import type { Journal } from './journal.ts'
import type { Log } from './log.ts'
import type { ProcessBound } from './process-bound.ts'
import type { Processes } from './processes.ts'
import type { Replacements } from './replacements.ts'
import type { Rights } from './rights.ts'
import type { Session } from './session.ts'
import type { Sockets } from './sockets.ts'
import { goneRecord } from './state/removed-names.ts'
import type { StateLog } from './state/state-log.ts'
import type { Timers } from './timers.ts'
import type { UndeclaredCopies } from './undeclared.ts'

/** What may come before the telling of events that precede it: a grant, and what nobody hears of. */
const OVERTAKING: ReadonlySet<Effect['type']> = new Set([
  'grant',
  'publish',
  'start-timer',
  'stop-timer',
  'watch-closely',
])

type EffectOf<T extends Effect['type']> = Extract<Effect, { type: T }>

/** The parts of a broker that effects reach. */
export interface EffectsHost {
  readonly registry: Registry
  readonly sessions: ReadonlyMap<ConnectionId, Session>
  readonly sockets: Sockets
  readonly processes: Processes
  readonly processBound: ProcessBound
  readonly rights: Rights
  readonly replacements: Replacements
  readonly guard: Guard
  readonly counters: Counters
  readonly journal: Journal
  readonly log: Log
  readonly timers: Timers
  readonly undeclared: UndeclaredCopies
  readonly state: StateLog
  /** Somebody waits for the end of a holder. */
  onStandby(): void
  step(event: CoreEvent): void
  /** An answer to a request could not be given as it was decided. */
  failed(session: Session, id: number, error: unknown): void
}

export class Effects {
  private readonly broker: EffectsHost
  /** Names of which a lease has ended in this step: what follows from that, and nobody waits for, comes after the grants. */
  private endings: string[] = []

  constructor(broker: EffectsHost) {
    this.broker = broker
  }

  /**
   * In order; only a grant overtakes what is told of the step, so that a standby waits for no onlooker. What one comes to keeps none of
   * the others from being performed: all of it has been decided.
   */
  performAll(effects: readonly Effect[]): void {
    const ahead = this.grantFirst(effects)
    this.broker.journal.note(effects)
    for (const [at, effect] of effects.entries()) {
      if (effect.type === 'grant' && at < ahead) continue
      this.attempt(effect)
      if (effect.type === 'grant' && this.broker.journal.owesTelling) yieldProcessor()
    }
    this.followUp()
  }

  /** The grants that nothing precedes which another hears; answers how far they reach. */
  private grantFirst(effects: readonly Effect[]): number {
    let ahead = 0
    for (const [at, effect] of effects.entries()) {
      if (!OVERTAKING.has(effect.type)) break
      if (effect.type !== 'grant') continue
      this.attempt(effect)
      ahead = at + 1
    }
    // Whoever asked just now has its answer; a standby was waiting for what somebody else did.
    if (ahead > 0 && effects[0]!.type !== 'grant') yieldProcessor()
    return ahead
  }

  private attempt(effect: Effect): void {
    if (!OVERTAKING.has(effect.type)) this.followUp()
    try {
      this.perform(effect)
    } catch (error) {
      this.tellFailure(effect, error)
    }
  }

  /** What of it fails keeps neither the rest of it nor the effect that it goes before. */
  private followUp(): void {
    this.broker.journal.tellPublished()
    if (this.endings.length === 0) return
    const names = this.endings
    this.endings = []
    for (const name of names) {
      try {
        this.afterEnd(name)
      } catch (error) {
        this.broker.log.error({ err: error, name }, 'what follows from the end of a lease failed')
      }
    }
  }

  /** Whose request it was an answer to hears of it. */
  private tellFailure(effect: Effect, error: unknown): void {
    const session = 'request' in effect ? this.broker.sessions.get(effect.connection) : undefined
    if (session === undefined || !('request' in effect))
      return this.broker.log.error({ err: error, effect: effect.type }, 'an effect of what was decided failed')
    try {
      this.broker.failed(session, effect.request, error)
    } catch {
      session.close()
    }
  }

  perform(effect: Effect): void {
    switch (effect.type) {
      case 'grant':
        return this.grant(effect)
      case 'reclaimed':
        return this.reclaimed(effect)
      case 'reply':
        return this.broker.sessions.get(effect.connection)?.answer(effect.request, effect.body)
      case 'refuse':
        return this.refused(effect)
      case 'tell':
        return this.broker.sessions.get(effect.connection)?.tell(effect.event)
      case 'publish':
        return this.published(effect.event)
      case 'start-timer':
        return this.broker.timers.start(effect.key, effect.at)
      case 'stop-timer':
        return this.broker.timers.stop(effect.key)
      case 'signal':
        return this.broker.processes.signal(effect.process, effect.signal as NodeJS.Signals)
      case 'watch-closely':
        this.broker.onStandby()
        return this.broker.processes.watchClosely(effect.process)
      case 'retire':
        this.broker.replacements.retire(effect.name)
        return this.broker.state.append([goneRecord(effect.name)])
    }
  }

  private grant(terms: EffectOf<'grant'>): void {
    const session = this.broker.sessions.get(terms.connection)
    if (session === undefined) return
    this.broker.counters.grants++
    this.sendSockets(session, terms.request, bodyOf(terms), terms.name, terms.lease)
  }

  private reclaimed(terms: EffectOf<'reclaimed'>): void {
    const session = this.broker.sessions.get(terms.connection)
    const bound = this.broker.processBound.terms(terms.lease)
    const sockets = this.broker.sockets.descriptions(terms.name)
    session?.answerList(terms.request, { ...bodyOf(terms), ...bound, sockets }, 'sockets')
  }

  /** Answers with a name's sockets, which are added to `body`. A peer that refuses descriptors (EPERM) loses the lease and is told SYSTEM. */
  sendSockets(session: Session, id: number, body: Record<string, unknown>, name: string, lease?: number): void {
    try {
      this.broker.guard.lost.refuseLost(name)
      if (lease !== undefined) Object.assign(body, this.broker.processBound.granted(lease))
      body['sockets'] = this.broker.sockets.descriptions(name)
      session.answerList(id, body, 'sockets', this.broker.sockets.lent(name))
    } catch (error) {
      if (lease !== undefined) this.broker.step({ type: 'undelivered', lease })
      if (!(error instanceof SystemError)) throw error
      if (error.code === 'ESTALE')
        this.broker.log.fatal({ err: error, name }, 'a descriptor is not the socket that it should be: not sent')
      else this.broker.journal.warnOf(session.peer, { err: error, name }, 'descriptors could not be sent')
      session.refuse(id, 'SYSTEM', `the descriptors could not be sent: ${error.message}`)
    }
  }

  private refused({ connection, request, code, message, masked, details }: EffectOf<'refuse'>): void {
    const session = this.broker.sessions.get(connection)
    if (session === undefined) return
    if (masked !== undefined && !this.broker.rights.has(session, 'viewer'))
      return session.refuse(request, 'DENIED', masked)
    session.refuse(request, code, message, details)
  }

  private published(published: PublishedEvent): void {
    const { event, name, lease } = published
    this.broker.journal.published(published)
    if (event === 'granted') this.broker.guard.granted(name, lease!)
    if (event === 'ready') this.broker.guard.ready(name, lease!)
    if (!ENDINGS.has(event)) return
    this.broker.guard.ended(name, lease!)
    this.broker.processBound.ended(lease!, event as EndReason)
    this.endings.push(name)
  }

  private afterEnd(name: string): void {
    this.broker.undeclared.leaseEnded(name)
    this.broker.processes.relax((process) => this.broker.registry.byProcess.has(process))
    const known = this.broker.registry.names.get(name)
    if (known !== undefined && !hasHolder(known)) {
      this.broker.sockets.rest(name)
      this.broker.guard.rested(name)
    }
  }
}

/** What the holder is told of its lease. */
function bodyOf({ lease, name, generation, state, readyWithin, mode }: LeaseTerms): Record<string, unknown> {
  return { lease, name, generation, state, readyWithin, mode }
}
