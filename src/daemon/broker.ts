// The shell around the core: it turns packets, exits and timers into events of the core, and has the effects performed in order.

import type { Registry } from '../core/registry.ts'
import { recordsOf } from '../core/state.ts'
import { step } from '../core/step.ts'
import type { ConnectionId, Context, CoreEvent, Effect, HolderInfo } from '../core/types.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import { type OwnedFd, SystemError } from '../sys/index.ts'
import type { Config } from './config/model.ts'
import { Effects } from './effects.ts'
import { EventQueue } from './event-queue.ts'
import { Guard } from './guard.ts'
import type { History, Occurrence } from './history.ts'
import { Holders } from './holders.ts'
import type { Counters, Host, Introduction } from './host.ts'
import { Journal } from './journal.ts'
import { judgementOf } from './judgement.ts'
import type { KeptDescriptors } from './kept-descriptors.ts'
import { LastLease } from './last-lease.ts'
import type { Log } from './log.ts'
import { NameCounters } from './name-counters.ts'
import { openSession } from './open-session.ts'
import type { Operator } from './operator.ts'
import { notifyDirectory, ProcessBound } from './process-bound.ts'
import { Processes } from './processes.ts'
import { Quotas } from './quotas.ts'
import { Refusals } from './refusals.ts'
import { Replacements } from './replacements.ts'
import { dispatch } from './requests.ts'
import { Rights } from './rights.ts'
import type { Session, SessionHost } from './session.ts'
import type { Sockets } from './sockets.ts'
import { ExpectedOptions } from './state/expected-options.ts'
import { lastConnection, noPast, owedBy, type Past, restorePast } from './state/past.ts'
import { configRecord } from './state/remembered-config.ts'
import { removedRecords } from './state/removed-names.ts'
import { RepairMarks } from './state/repair-marks.ts'
import { type Resuming, resume } from './state/resume.ts'
import { StateLog } from './state/state-log.ts'
import { StuckPeers } from './stuck-peers.ts'
import { Timers } from './timers.ts'
import { hashToken } from './tokens.ts'
import { TurnedAway } from './turned-away.ts'
import { UndeclaredCopies } from './undeclared.ts'
import type { Upgrade } from './upgrade.ts'
import { UserNames } from './user-names.ts'

export class Broker implements SessionHost, Host {
  readonly config: Config
  readonly sockets: Sockets
  readonly registry: Registry
  readonly kept: KeptDescriptors
  readonly state: StateLog
  readonly processes: Processes
  readonly processBound: ProcessBound
  readonly rights: Rights
  readonly replacements: Replacements
  readonly expected: ExpectedOptions
  readonly repairMarks: RepairMarks
  readonly guard: Guard
  operator!: Operator
  readonly users = new UserNames()
  readonly holders: Holders = new Holders(this)
  readonly sessions = new Map<ConnectionId, Session>()
  readonly subscribers = new Set<Session>()
  readonly counters: Counters = { restarts: 0, requests: 0, grants: 0, refusals: {}, names: new NameCounters() }
  readonly startedAt = Date.now()
  upgrade: Upgrade | undefined
  onStandby: () => void = () => {}
  readonly journal: Journal
  readonly history: History
  readonly log: Log
  private readonly effects = new Effects(this)
  private readonly refusals = new Refusals(this)
  private readonly context: Context
  private readonly events = new EventQueue(
    (event) => this.decide(event),
    () => this.lastLease.changed(),
  )
  private readonly lastLease: LastLease
  readonly timers: Timers
  readonly undeclared: UndeclaredCopies
  private readonly quotas: Quotas
  private readonly stuck: StuckPeers
  private readonly turnedAway = new TurnedAway()
  private nextConnection: ConnectionId
  /** Once, and not before this is the only broker: until then nothing was done that another could notice. */
  readonly begin: () => void

  constructor(config: Config, sockets: Sockets, log: Log, past: Past = noPast()) {
    this.config = config
    this.sockets = sockets
    this.log = log
    this.kept = past.kept
    this.state = new StateLog(past.kept.store, past.folded, log, past)
    this.journal = new Journal(log, this.state, this.counters, this.subscribers)
    this.journal.restore(past.folded.values)
    this.history = this.journal.history
    this.processes = new Processes((process) => this.step({ type: 'exit', process }))
    const restored = restorePast(past, this.processes, config.broker.reclaimTimeout)
    this.registry = restored.registry
    this.lastLease = new LastLease(this.registry)
    this.nextConnection = lastConnection(restored.registry) + 1
    this.processBound = new ProcessBound(this, notifyDirectory(config))
    this.undeclared = new UndeclaredCopies(this.registry, sockets, log, (copies) =>
      this.journal.published({ event: 'undeclared', at: Date.now(), ...copies }),
    )
    this.rights = new Rights(config, this.processes)
    this.context = { now: 0, ...judgementOf(this) }
    this.replacements = new Replacements(this, log, past.folded.values)
    this.expected = new ExpectedOptions(this.state, past.folded.values)
    this.repairMarks = new RepairMarks(this.state, past.folded.values, Date.now())
    this.guard = new Guard(this, log, past.ahead)
    sockets.observe(this.guard)
    this.expected.settle()
    this.timers = new Timers((key) => this.step({ type: 'timer', key }))
    this.quotas = new Quotas(config.broker)
    this.stuck = new StuckPeers(this.sessions, this.journal)
    this.begin = () => {
      resume(this.resuming(), restored, past, config.broker.reclaimTimeout)
      this.remember(config)
      this.step({ type: 'configure', names: [...config.names.values()].map((model) => model.core) })
      this.processes.reportDead()
      this.guard.lost.begin()
      this.replacements.leaving.resume()
    }
  }

  private resuming(): Resuming {
    const { registry, processes, processBound, quotas, state, log } = this
    return { registry, processes, processBound, quotas, state, log, perform: (effect) => this.effects.perform(effect) }
  }

  remember(config: Config, namesBefore = config.names): void {
    this.state.append([configRecord(config), ...removedRecords(namesBefore, config.names)])
  }

  /** A new control connection; `greeted`: one that a former broker has answered `hello`. */
  accept(fd: OwnedFd, greeted = false): void {
    const session = openSession(this, this.nextConnection++, fd)
    if (session === undefined) return
    const { peer } = session
    this.sessions.set(session.id, session)
    session.counted = !session.admin && this.quotas.connected(peer.uid)
    if (!session.admin && !session.counted) {
      this.journal.warnOf(peer, {}, 'connection closed: max_connections_per_uid')
      return greeted ? session.close() : this.turnedAway.add(session, this.config.broker.helloTimeout)
    }
    session.greeted = greeted
    if (greeted) return
    session.helloTimer = setTimeout(() => {
      this.journal.warnOf(peer, {}, 'connection closed: no hello within hello_timeout')
      session.close()
    }, this.config.broker.helloTimeout)
  }

  greeted(session: Session, { client, token }: Introduction): void {
    if (token !== undefined) {
      session.token = hashToken(token)
      this.judge(session)
    }
    session.greeted = true
    session.client = client
    clearTimeout(session.helloTimer)
  }

  /** Whether it is an admin now: rules and what it brings have changed. */
  judge(session: Session, admin = this.rights.isAdmin(session)): void {
    session.admin = admin
    if (session.admin === !session.counted) return
    if (session.admin) this.quotas.disconnected(session.peer.uid)
    session.counted = !session.admin && this.quotas.connected(session.peer.uid)
  }

  request(session: Session, id: number, body: Record<string, unknown>, floats: readonly string[]): void {
    this.counters.requests++
    if (session.turnedAway) return this.turnedAway.answer(session, id, this.config.broker.maxConnectionsPerUid)
    if (!session.admin && !this.quotas.requested(session.peer.uid, Date.now())) {
      const limit = this.config.broker.maxRequestsPerUid
      return session.refuse(
        id,
        'LIMIT',
        `uid ${session.peer.uid} sends over ${limit} requests a second (max_requests_per_uid)`,
      )
    }
    try {
      const refusal = dispatch(this, session, id, body, floats)
      if (refusal !== undefined) session.refuse(id, refusal.code, refusal.message)
    } catch (error) {
      this.failed(session, id, error)
    }
  }

  later(session: Session, id: number, work: Promise<void>): void {
    work.catch((error: unknown) => this.failed(session, id, error))
  }

  /** A fault of ours in one peer's request must not take the others' sockets down. */
  failed(session: Session, id: number, error: unknown): void {
    this.log.error({ err: error, pid: session.peer.pid }, 'a request failed')
    const how = error instanceof SystemError ? `: ${error.message}` : ''
    if (!session.closed) session.refuse(id, 'SYSTEM', `the broker failed at this request${how}; its log says more`)
  }

  refusing(session: Session, asked: Record<string, unknown>, code: ErrorCode, message: string): void {
    this.refusals.tell(session, asked, code, message)
  }

  protocolError(session: Session, fault: string): void {
    this.journal.warnOf(session.peer, { fault }, 'connection closed: malformed packet')
  }

  closed(session: Session): void {
    this.sessions.delete(session.id)
    this.subscribers.delete(session)
    if (session.turnedAway) this.turnedAway.ended(session)
    this.step({ type: session.cutOff ? 'evict' : 'hangup', connection: session.id })
    this.processes.leave(session.process)
    if (!session.counted) return
    // Leases that outlive it cost what a connection costs: a process, a descriptor.
    const uncount = () => this.quotas.disconnected(session.peer.uid)
    if (!this.processBound.outlives(session.id, uncount)) uncount()
  }

  holderOf(session: Session): HolderInfo {
    const { pid, uid, gid, identity = '' } = session.peer
    const user = this.users.of(uid)
    if (session.holder?.user !== user)
      session.holder = { process: session.process, identity, pid, uid, gid, user, command: '' }
    return session.holder
  }

  /** Puts an event to the core and performs what it decides: now, or in its turn. */
  step(event: CoreEvent): void {
    this.events.put(event)
  }

  private decide(event: CoreEvent): void {
    this.context.now = Date.now()
    this.performAll(step(this.registry, event, this.context))
  }

  /** Decides nothing, and reads nothing, until thaw(): another broker may take over exactly this state meanwhile. */
  freeze(): void {
    this.events.hold()
    this.journal.save()
    this.guard.pause()
    this.replacements.leaving.pause()
    for (const session of this.sessions.values()) session.freeze()
  }

  thaw(): void {
    this.guard.resume()
    this.replacements.leaving.resume()
    for (const session of this.sessions.values()) session.thaw()
    this.events.resume()
  }

  /** What survives this broker is written before anybody hears of it. */
  private performAll(effects: readonly Effect[]): void {
    const owed = this.state.keeps ? owedBy(effects, this.registry) : []
    if (this.state.keeps) this.state.append([...recordsOf(this.registry), ...owed])
    this.effects.performAll(effects)
    if (owed.length > 0) this.state.append(owed.map(({ key }) => ({ key, value: null })))
  }

  sendSockets(session: Session, id: number, body: Record<string, unknown>, name: string): void {
    this.effects.sendSockets(session, id, body, name)
  }

  mayNotify(uid: number): boolean {
    return this.quotas.requested(uid, Date.now())
  }

  occurred(occurrence: Occurrence): void {
    this.journal.occurred(occurrence)
  }

  /** Asks every holder to drain; resolves when the last lease has ended or the longest `drain_timeout` of those that are held is over. */
  drainAll(): Promise<void> {
    const ended = this.lastLease.end()
    this.step({ type: 'shutdown' })
    return ended
  }

  close(): void {
    this.stuck.close()
    this.timers.stopAll()
    for (const session of [...this.sessions.values()]) session.close()
    this.timers.stopAll()
    this.processBound.close()
    this.undeclared.close()
    this.journal.close()
    this.sockets.observe(undefined)
    this.guard.close()
    this.replacements.close()
    this.processes.close()
    this.state.close()
  }
}
