// The core's only door: one event in, the effects out, in the order in which they must be performed.

import { acquire } from './acquire.ts'
import { postponeAlive } from './alive-clock.ts'
import { configure, removeLate } from './configure.ts'
import { drain, rollBackLate } from './generations.ts'
import { fire } from './lease-life.ts'
import { deniedReclaimMessage, timeoutMessage, unknownLeaseMessage, unknownNameMessage } from './messages.ts'
import { notify } from './notify.ts'
import { findOwn, notOwn } from './own-lease.ts'
import { continuePursuit, endPursuitsOf } from './pursuit.ts'
import { type Changes, detach, type Lease, leasesOf, type Name, type Registry } from './registry.ts'
import { settle } from './settle.ts'
import { noteName, publish, refuse, reply, type Turn, touch } from './turn.ts'
import type { Ask, ConnectionId, Context, CoreEvent, Effect, LeaseRequest, MaybeAsk } from './types.ts'

type EventOf<T extends CoreEvent['type']> = Extract<CoreEvent, { type: T }>
type Handlers = { [T in CoreEvent['type']]: (turn: Turn, event: EventOf<T>) => void }

const HANDLERS: Handlers = {
  acquire,
  ready: (turn, event) => onLease(turn, event, 'ready'),
  release: (turn, event) => onLease(turn, event, 'release'),
  reclaim,
  undelivered(turn, { lease }) {
    const found = turn.registry.leases.get(lease)
    if (found) fire(turn, found, 'undelivered')
  },
  hangup(turn, { connection }) {
    for (const lease of loseConnection(turn, connection)) {
      fire(turn, lease, lease.asked.bind === 'process' ? 'disconnect' : 'hangup')
    }
  },
  evict(turn, { connection }) {
    for (const lease of loseConnection(turn, connection)) fire(turn, lease, 'evict')
  },
  exit,
  timer(turn, { key }) {
    if (turn.registry.timers.delete(key)) onTimer(turn, key)
  },
  notify,
  drain: drainTarget,
  pause(turn, event) {
    const name = named(turn, event)
    if (!name) return
    setPaused(turn, name, true)
    if (event.drain) for (const lease of leasesOf(name)) drain(turn, lease, 'pause')
  },
  resume(turn, event) {
    const name = named(turn, event)
    if (name) setPaused(turn, name, false)
  },
  lost(turn, { name, why }) {
    const found = turn.registry.names.get(name)
    if (found) found.lost = why
  },
  regained(turn, { name }) {
    const found = turn.registry.names.get(name)
    if (!found) return
    found.lost = undefined
    touch(turn, found)
  },
  configure,
  shutdown(turn) {
    turn.registry.closing = true
    for (const name of turn.registry.names.values()) {
      for (const lease of leasesOf(name)) drain(turn, lease, 'shutdown')
      touch(turn, name)
    }
  },
}

export function step(registry: Registry, event: CoreEvent, context: Context): Effect[] {
  const turn: Turn = { registry, context, now: context.now, effects: [], touched: [] }
  forgetChanges(registry.changes)
  const handle = HANDLERS[event.type] as (turn: Turn, event: CoreEvent) => void
  try {
    handle(turn, event)
    settle(turn)
    return turn.effects
  } finally {
    for (const name of turn.touched) name.touched = false
  }
}

function forgetChanges({ leases, names, pursuits, forgotten }: Changes): void {
  for (const lease of leases) lease.changed = false
  for (const name of names) name.changed = false
  leases.length = 0
  names.length = 0
  forgotten.length = 0
  // Clearing an empty set costs as much as clearing a full one.
  if (pursuits.size > 0) pursuits.clear()
}

/** Nothing new is no news. */
function setPaused(turn: Turn, name: Name, paused: boolean): void {
  if (name.paused === paused) return
  name.paused = paused
  noteName(turn, name)
  publish(turn, paused ? 'paused' : 'resumed', name)
  touch(turn, name)
}

/** `ready` or `release` of a lease, live or ended, by one who may name it. */
function onLease(turn: Turn, request: LeaseRequest, event: 'ready' | 'release'): void {
  const ask: Ask = { connection: request.connection, request: request.request }
  const lease = findOwn(turn.registry, request.lease, request)
  if (lease) return fire(turn, lease, event, { ask })
  const { code, message } = notOwn(turn.registry, request.lease, request)
  if (code === 'ENDED' && event === 'release') reply(turn, ask, {})
  else refuse(turn, ask, code, message)
}

/** The same process by the kernel's word, whichever connection it comes on. */
function reclaim(turn: Turn, { connection, request, lease: id, name, identity }: EventOf<'reclaim'>): void {
  const ask: Ask = { connection, request }
  const lease = turn.registry.leases.get(id) ?? turn.registry.ended.get(id)
  const own = identity !== '' && lease?.holder.identity === identity && lease.asked.name === name
  if (lease && own) fire(turn, lease, 'reclaim', { ask })
  else refuse(turn, ask, 'DENIED', deniedReclaimMessage(id, name))
}

/** Its requests need no answer any more. Returns what was taken on it. */
function loseConnection({ registry }: Turn, connection: ConnectionId): Lease[] {
  const leases = [...(registry.byConnection.get(connection) ?? [])]
  for (const lease of leases) {
    lease.held = lease.held.filter((ask) => ask.connection !== connection)
    if (lease.asked.connection === connection) lease.open = false
    else {
      detach(registry.byConnection, connection, lease)
      lease.former?.delete(connection)
    }
  }
  return leases.filter((lease) => lease.asked.connection === connection)
}

/** A process-bound holder knows nothing of `release`: it leaves when it has drained, unless it had to be made to. */
function exit(turn: Turn, { process }: EventOf<'exit'>): void {
  endPursuitsOf(turn, process)
  for (const lease of [...(turn.registry.byProcess.get(process) ?? [])]) {
    const departs = lease.asked.bind === 'process' && !lease.draining?.enforced
    fire(turn, lease, departs ? 'depart' : 'exit')
  }
}

const NAME_TIMERS: Record<string, (turn: Turn, name: string) => void> = {
  removed: removeLate,
  judge(turn, name) {
    const found = turn.registry.names.get(name)
    if (found) touch(turn, found)
  },
}

const LEASE_TIMERS: Record<string, (turn: Turn, id: number) => void> = {
  wait(turn, ticket) {
    const lease = turn.registry.waiting.get(ticket)
    if (!lease) return
    fire(turn, lease, 'refuse', { code: 'TIMEOUT', message: timeoutMessage(lease) })
  },
  ready: (turn, id) => onLeaseTimer(turn, id, 'expire'),
  alive(turn, id) {
    const lease = turn.registry.leases.get(id)
    if (lease && !postponeAlive(turn, lease)) fire(turn, lease, 'ready')
  },
  drain: (turn, id) => onLeaseTimer(turn, id, 'overdue'),
  watchdog: (turn, id) => onLeaseTimer(turn, id, 'starved'),
  reclaim: (turn, id) => onLeaseTimer(turn, id, 'forsake'),
  kill: continuePursuit,
  promote: rollBackLate,
}

function onTimer(turn: Turn, key: string): void {
  const slash = key.indexOf('/')
  const kind = key.slice(0, slash)
  const rest = key.slice(slash + 1)
  NAME_TIMERS[kind]?.(turn, rest)
  LEASE_TIMERS[kind]?.(turn, Number(rest))
}

function onLeaseTimer(turn: Turn, id: number, event: 'expire' | 'overdue' | 'starved' | 'forsake'): void {
  const lease = turn.registry.leases.get(id)
  if (lease) fire(turn, lease, event)
}

function drainTarget(turn: Turn, event: EventOf<'drain'>): void {
  const { target, timeout, reason = 'admin' } = event
  if ('name' in target) {
    const name = named(turn, { ...event, name: target.name })
    if (name) for (const lease of leasesOf(name)) drain(turn, lease, reason, timeout)
    return
  }
  const lease = turn.registry.leases.get(target.lease)
  if (lease) drain(turn, lease, reason, timeout)
  const known = lease !== undefined || turn.registry.ended.has(target.lease)
  answer(turn, event, known ? undefined : unknownLeaseMessage(target.lease))
}

function named(turn: Turn, event: { name: string } & MaybeAsk): Name | undefined {
  const name = turn.registry.names.get(event.name)
  answer(turn, event, name ? undefined : unknownNameMessage(event.name))
  return name
}

function answer(turn: Turn, { connection, request }: MaybeAsk, fault: string | undefined): void {
  if (connection === undefined || request === undefined) return
  if (fault === undefined) reply(turn, { connection, request }, {})
  else refuse(turn, { connection, request }, 'NOT_FOUND', fault)
}
