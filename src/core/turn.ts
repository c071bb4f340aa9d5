// One turn of the core: the event's context and the effects gathered so far, in the order in which they must be performed.

import type { ErrorCode } from '../protocol/errors.ts'
import type { Lease, Name, Registry } from './registry.ts'
import type { Ask, Context, Effect, PublishedEvent, Signal } from './types.ts'

export interface Turn {
  readonly registry: Registry
  readonly context: Context
  readonly now: number
  readonly effects: Effect[]
  /** Names where room, quorum or a hand-over may have changed, each once: they are settled before the turn ends. */
  readonly touched: Name[]
}

export function startTimer(turn: Turn, key: string, at: number): void {
  turn.registry.timers.set(key, at)
  turn.effects.push({ type: 'start-timer', key, at })
}

export function stopTimer(turn: Turn, key: string): void {
  if (turn.registry.timers.delete(key)) turn.effects.push({ type: 'stop-timer', key })
}

export function touch({ touched }: Turn, name: Name): void {
  if (name.touched) return
  name.touched = true
  touched.push(name)
}

/** A restart must not forget what changed of this name. */
export function noteName({ registry }: Turn, name: Name): void {
  if (name.changed) return
  name.changed = true
  registry.changes.names.push(name)
}

/** A restart must not forget what changed of this lease. */
export function noteLease({ registry }: Turn, lease: Lease): void {
  if (lease.changed) return
  lease.changed = true
  registry.changes.leases.push(lease)
}

export function reply(turn: Turn, ask: Ask, body: Record<string, unknown>): void {
  turn.effects.push({ type: 'reply', connection: ask.connection, request: ask.request, body })
}

export function refuse(
  turn: Turn,
  { connection, request }: Ask,
  code: ErrorCode,
  message: string,
  details?: Record<string, unknown>,
): void {
  turn.effects.push({ type: 'refuse', connection, request, code, message, ...(details && { details }) })
}

/** There is no such name: said to those who may list, DENIED to others. */
export function refuseUnknown(turn: Turn, ask: Ask, message: string, masked: string): void {
  const { connection, request } = ask
  turn.effects.push({ type: 'refuse', connection, request, code: 'NOT_FOUND', message, masked })
}

export function publish(
  turn: Turn,
  event: PublishedEvent['event'],
  name: Name,
  details?: Record<string, unknown>,
): void {
  turn.effects.push({ type: 'publish', event: { event, at: turn.now, name: name.config.name, ...details } })
}

export function publishLease(
  turn: Turn,
  event: PublishedEvent['event'],
  lease: Lease,
  details?: Record<string, unknown>,
): void {
  const { id, holder, generation, name } = lease
  const { pid, uid, user } = holder
  const told = { event, at: turn.now, name: name.config.name, lease: id, generation: generation?.label, pid, uid, user }
  turn.effects.push({ type: 'publish', event: details === undefined ? told : { ...told, ...details } })
}

export function signal(turn: Turn, lease: Lease, name: Signal): void {
  turn.effects.push({ type: 'signal', process: lease.holder.process, lease: lease.id, signal: name })
}
