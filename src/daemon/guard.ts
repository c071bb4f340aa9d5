// The guard of the shared sockets: it hears at once of a listener that is shut, looks at every socket once a second, and sets back
// what a holder changed. What the kernel has no way back from is replaced by a new socket. docs/guard.md has the whole table.

import { hasHolder, type Registry } from '../core/registry.ts'
import type { CoreEvent } from '../core/types.ts'
import { formatAddress } from '../protocol/address.ts'
import {
  type BoundSocket,
  type Findings,
  type GuardedSocket,
  HangupWatch,
  holdersMayFilter,
  lockFilter,
} from '../sys/index.ts'
import { Baselines } from './baselines.ts'
import { type Bent, BentSockets } from './bent-sockets.ts'
import type { NameModel } from './config/model.ts'
import type { Occurrence } from './history.ts'
import type { Log } from './log.ts'
import { LostSockets } from './lost-sockets.ts'
import { Paced } from './paced.ts'
import { RepairReports } from './repair-reports.ts'
import type { Replacements } from './replacements.ts'
import type { Sockets, SocketsObserver } from './sockets.ts'
import type { SocketsAhead } from './sockets-ahead.ts'
import { AFTER_READY_MS, Starts } from './starts.ts'
import type { ExpectedOptions } from './state/expected-options.ts'
import type { RepairMarks } from './state/repair-marks.ts'

const AUDIT_MS = 1000
/** Looked at in one go: each takes 20 to 30 µs. */
const SLICE_SOCKETS = 32
/** Workers that start or end by the hundred are not a reason to look hundreds of times. */
const APART_MS = 20

const NONE: ReadonlySet<Watched> = new Set()

interface Watched extends Bent {
  readonly guarded: GuardedSocket
  /** The revision of what the next broker will find. */
  noted: number
  /** A holder can still attach a filter. */
  filterable: boolean
  /** It could not be looked at the last time. */
  blind: boolean
}

export interface GuardHost {
  readonly registry: Registry
  readonly replacements: Replacements
  readonly sockets: Sockets
  readonly expected: ExpectedOptions
  readonly repairMarks: RepairMarks
  occurred(event: Occurrence): void
  step(event: CoreEvent): void
}

export class Guard implements SocketsObserver {
  readonly reports: RepairReports
  readonly bent: BentSockets
  readonly lost: LostSockets
  private readonly host: GuardHost
  private readonly log: Log
  private readonly baselines: Baselines
  private readonly watched = new Map<number, Watched>()
  private readonly byName = new Map<string, Set<Watched>>()
  private readonly starts = new Starts()
  private readonly locksFilters = holdersMayFilter()
  private readonly hangups: HangupWatch
  private readonly audits = new Paced<'told' | 'silent'>(APART_MS, 'told', (name, how) => this.auditName(name, how))
  private auditTimer: NodeJS.Timeout | undefined
  private paused = false
  /** Those that are to be looked at yet in this second. */
  private due: Watched[] = []

  constructor(host: GuardHost, log: Log, ahead?: SocketsAhead) {
    this.host = host
    this.log = log
    this.baselines = new Baselines(host.expected, ahead)
    this.reports = new RepairReports(host.registry, host.repairMarks, log, (event) => host.occurred(event))
    this.lost = new LostSockets(host, this.reports, log)
    this.bent = new BentSockets(this.lost, host.replacements, this.reports, log)
    this.hangups = new HangupWatch((fd, reopened) => this.hungUp(fd, reopened))
    for (const { id, name, state } of host.registry.leases.values()) {
      if (state === 'granted') this.granted(name.config.name, id)
    }
    this.auditNext()
  }

  opened(name: string, index: number, socket: BoundSocket, model: NameModel): void {
    if (socket.unbound) return
    const isAsItWas = this.baselines.meets(socket)
    if (!model.guard) return
    const { fd } = socket.fd
    const { guarded, noted } = this.baselines.guardedOf(socket, model, isAsItWas)
    const filterable = this.locksFilters && socket.address.type === 'tcp'
    const watched = { name, index, socket, model, guarded, noted, filterable, blind: false }
    this.watched.set(fd, watched)
    this.byName.set(name, (this.byName.get(name) ?? new Set()).add(watched))
    this.lock(watched)
    this.baselines.note(watched)
    this.listenFor(watched)
  }

  /** Where it cannot be, for want of memory, the look of every second sees a shutdown too. */
  private listenFor({ name, socket, model }: Watched): void {
    try {
      this.hangups.add(socket.fd.fd, socket.address.type === 'tcp' ? model.backlog : undefined)
    } catch (error) {
      this.log.error({ err: error, name }, 'a shutdown of this socket is seen within a second, not at once')
    }
  }

  closing(socket: BoundSocket): void {
    const { fd } = socket.fd
    const watched = this.watched.get(fd)
    if (watched !== undefined) {
      this.watched.delete(fd)
      this.forget(watched)
      this.hangups.remove(fd)
      this.baselines.drop(socket)
    }
    this.bent.forget(socket)
  }

  /** What a socket is to be like; undefined where it is not guarded. */
  expectedOf({ fd }: BoundSocket): string | undefined {
    return this.watched.get(fd.fd)?.guarded.expected
  }

  private forget(watched: Watched): void {
    const others = this.byName.get(watched.name)
    others?.delete(watched)
    if (others?.size === 0) this.byName.delete(watched.name)
  }

  /** At once where it can be; else when the filter is detached, or the socket that it replaces has left. */
  private lock(watched: Watched): void {
    if (watched.filterable) watched.filterable = !lockFilter(watched.socket)
  }

  granted(name: string, lease: number): void {
    this.starts.granted(name, lease)
  }

  /** What the worker's start changed is set back now, and what it changes within a second is set back then. */
  ready(name: string, lease: number): void {
    this.audits.ask(name, 'silent')
    this.starts.ready(name, lease)
    this.audits.askAfter(AFTER_READY_MS, name, 'silent')
  }

  /** Whoever waits for this end gets sockets that listen; what else is to be set back need not keep it waiting. */
  ended(name: string, lease: number): void {
    this.reports.ended(name, lease)
    const how = this.starts.ended(name, lease) ? 'silent' : 'told'
    for (const watched of this.of(name)) this.look(watched, () => this.reopen(watched))
    this.audits.askSoon(name, how)
  }

  /** Nobody holds the name: O_NONBLOCK is as configured again. */
  rested(name: string): void {
    for (const watched of this.of(name)) {
      watched.guarded.expectNonBlocking(watched.model.nonBlocking ?? false)
      this.baselines.note(watched)
    }
  }

  /** Some sockets cannot be had, and some holder has broken another. */
  isLost(name: string): boolean {
    return this.host.sockets.hasUnbound(name) || this.bent.isLost(name)
  }

  private hungUp(fd: number, reopened: boolean): void {
    const watched = this.watched.get(fd)
    if (watched === undefined) return
    if (reopened) this.report(watched, ['shutdown'])
    this.inspect(watched, 'told')
  }

  /** Every socket once a second; many of them in slices, so that nobody waits for the whole. */
  private auditNext(): void {
    if (this.due.length === 0) {
      this.due = [...this.watched.values()]
      this.reports.tick()
    }
    const slices = Math.max(1, Math.ceil(this.watched.size / SLICE_SOCKETS))
    const slice = this.due.splice(0, Math.ceil(this.watched.size / slices))
    for (const watched of slice) if (this.isWatched(watched)) this.auditOne(watched)
    this.auditTimer = setTimeout(() => this.auditNext(), AUDIT_MS / slices).unref()
  }

  /** One that was closed or replaced meanwhile is not. */
  private isWatched(watched: Watched): boolean {
    const { fd } = watched.socket
    return !fd.closed && this.watched.get(fd.fd) === watched
  }

  private auditOne(watched: Watched): void {
    if (this.inspect(watched, 'told') && !this.isHeld(watched.name)) this.look(watched, () => this.bent.giveUp(watched))
  }

  private auditName(name: string, how: 'told' | 'silent'): void {
    for (const watched of [...this.of(name)]) this.inspect(watched, how)
  }

  private of(name: string): ReadonlySet<Watched> {
    return this.byName.get(name) ?? NONE
  }

  /** While another broker may be taking the sockets over: what it does to them is no holder's doing. */
  pause(): void {
    this.paused = true
  }

  /** The other one came to nothing: what it did is undone, and nobody is blamed. */
  resume(): void {
    this.paused = false
    for (const watched of [...this.watched.values()]) this.inspect(watched, 'silent')
  }

  private inspect(watched: Watched, how: 'told' | 'silent'): boolean {
    return this.look(watched, () => {
      this.followNonBlocking(watched)
      this.reopen(watched)
      const findings = watched.guarded.inspect()
      if (findings !== undefined) this.found(watched, findings, how)
      else this.bent.mended(watched.socket)
      this.lock(watched)
      this.baselines.note(watched)
    })
  }

  /** True when it could: what it could not do for want of descriptors or memory is tried again each second. */
  private look(watched: Watched, act: () => void): boolean {
    if (this.paused) return false
    try {
      act()
      watched.blind = false
    } catch (error) {
      if (!watched.blind) this.log.error({ err: error, name: watched.name }, 'the guard cannot look at a socket')
      watched.blind = true
    }
    return !watched.blind
  }

  private reopen(watched: Watched): void {
    if (watched.guarded.reopen()) this.report(watched, ['shutdown'])
  }

  /** A holder may turn O_NONBLOCK on, where the configuration leaves it open; then it stays on while there are holders. */
  private followNonBlocking({ name, model, guarded }: Watched): void {
    if (model.nonBlocking !== undefined || !guarded.nonBlocking) return
    if (this.isHeld(name)) guarded.expectNonBlocking(true)
  }

  private isHeld(name: string): boolean {
    const known = this.host.registry.names.get(name)
    return known !== undefined && hasHolder(known)
  }

  private found(watched: Watched, { repaired, left, listener }: Findings, how: 'told' | 'silent'): void {
    const told = repaired.filter((what) => this.isTold(what, watched.name, how))
    if (told.length > 0) this.report(watched, told, listener)
    else if (repaired.length > 0)
      this.log.debug({ name: watched.name, what: repaired }, 'set back after a worker’s start')
    if (left.length > 0) this.bent.replace(watched, left)
    else this.bent.mended(watched.socket)
  }

  /** No program shuts or connects the socket that it is about to serve: that is never a start. */
  private isTold(what: string, name: string, how: 'told' | 'silent'): boolean {
    return what === 'shutdown' || what === 'connect' || (how === 'told' && !this.starts.underWay(name))
  }

  private report({ name, socket }: Watched, what: string[], by?: number): void {
    this.reports.repaired({ name, address: formatAddress(socket.address), what, ...(by !== undefined && { by }) })
  }

  close(): void {
    clearTimeout(this.auditTimer)
    this.audits.close()
    this.lost.close()
    for (const fd of this.watched.keys()) this.hangups.remove(fd)
    this.watched.clear()
    this.byName.clear()
    this.hangups.close()
  }
}
