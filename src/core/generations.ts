// Generations of a name: one is current, which lives on without leases; up to max_generations - 1 younger ones are pending.

import { fire } from './lease-life.ts'
import type { Generation, Lease, Name, Registry } from './registry.ts'
import { noteName, publish, startTimer, stopTimer, type Turn, touch } from './turn.ts'
import type { DrainReason, NameConfig } from './types.ts'

/** Superseded labels of a name that are remembered, so that an old release cannot roll the new one back. */
export const SUPERSEDED_REMEMBERED = 64

export function createGeneration(registry: Registry, label: string, state: 'current' | 'pending'): Generation {
  return {
    seq: registry.nextGeneration++,
    label,
    state,
    leases: new Set(),
    granted: 0,
    ready: 0,
    draining: 0,
    serving: 0,
    lastEnd: undefined,
  }
}

export function createName(registry: Registry, config: NameConfig): Name {
  const current = createGeneration(registry, 'g1', 'current')
  return {
    config,
    current,
    pending: new Set(),
    generations: new Set([current]),
    superseded: new Map(),
    lanes: new Map(),
    unsettled: new Set(),
    paused: false,
    removed: false,
    draining: 0,
    nextLabel: 2,
    touched: false,
    changed: false,
  }
}

/** The current or pending generation of that label. */
export function findLive(name: Name, label: string): Generation | undefined {
  if (name.current.label === label) return name.current
  for (const generation of name.pending) if (generation.label === label) return generation
  return undefined
}

/** Opens a pending generation; without a label it takes the next free "gN". */
export function openGeneration(turn: Turn, name: Name, label: string | undefined): Generation {
  const generation = createGeneration(turn.registry, label ?? freeLabel(name), 'pending')
  name.pending.add(generation)
  name.generations.add(generation)
  noteName(turn, name)
  turn.registry.byGeneration.set(generation.seq, name)
  startTimer(turn, `promote/${generation.seq}`, turn.now + name.config.promoteTimeout)
  return generation
}

function freeLabel(name: Name): string {
  const taken = new Set([...name.generations].map((generation) => generation.label))
  for (;;) {
    const label = `g${name.nextLabel++}`
    if (!taken.has(label) && !name.superseded.has(label)) return label
  }
}

export function quorumOf({ mode, quorum }: NameConfig): number {
  return mode === 'exclusive' ? 1 : quorum
}

/** The youngest pending generation with its quorum becomes current; everything older drains. */
export function promoteReady(turn: Turn, name: Name): boolean {
  if (name.pending.size === 0) return false
  const quorum = quorumOf(name.config)
  const chosen = [...name.pending].findLast((generation) => generation.ready >= quorum)
  if (!chosen) return false
  promote(turn, name, chosen)
  return true
}

function promote(turn: Turn, name: Name, generation: Generation): void {
  const older = [name.current, ...name.pending].filter(({ seq }) => seq < generation.seq)
  const former = name.current.label
  closePending(turn, name, generation)
  generation.state = 'current'
  name.current = generation
  noteName(turn, name)
  name.superseded.delete(generation.label)
  publish(turn, 'promoted', name, { generation: generation.label, former })
  for (const old of older) supersede(turn, name, old)
}

function supersede(turn: Turn, name: Name, old: Generation): void {
  // A pending one that is overtaken never became current: for its release that is a rollback.
  if (name.pending.has(old)) publish(turn, 'rollback', name, { generation: old.label, reason: 'superseded' })
  closePending(turn, name, old)
  old.state = 'superseded'
  remember(name, old.label)
  if (old.leases.size === 0) name.generations.delete(old)
  for (const lease of [...old.leases]) {
    if (neverServed(lease)) fire(turn, lease, 'revoke')
    else drain(turn, lease, 'takeover')
  }
}

/** On an exclusive name, a lease whose `ready` was never answered has nothing to drain, and must not hold its successor up. */
function neverServed(lease: Lease): boolean {
  return lease.name.config.mode === 'exclusive' && lease.state !== 'draining' && !lease.serving
}

function remember(name: Name, label: string): void {
  name.superseded.delete(label)
  name.superseded.set(label, name.current.label)
  if (name.superseded.size <= SUPERSEDED_REMEMBERED) return
  for (const oldest of name.superseded.keys()) {
    name.superseded.delete(oldest)
    return
  }
}

function closePending(turn: Turn, name: Name, generation: Generation): void {
  name.pending.delete(generation)
  turn.registry.byGeneration.delete(generation.seq)
  stopTimer(turn, `promote/${generation.seq}`)
}

/** A pending generation whose last lease ended never becomes current. */
export function rollBackEmpty(turn: Turn, name: Name): boolean {
  for (const generation of name.pending) {
    if (generation.leases.size > 0) continue
    rollBack(turn, name, generation, 'empty')
    return true
  }
  return false
}

/** Its promote_timeout passed. */
export function rollBackLate(turn: Turn, seq: number): void {
  const name = turn.registry.byGeneration.get(seq)
  const generation = name && [...name.pending].find((pending) => pending.seq === seq)
  if (name && generation) rollBack(turn, name, generation, 'timeout')
}

/** `ended`, of an empty one: how its last lease ended. */
function rollBack(turn: Turn, name: Name, generation: Generation, reason: 'empty' | 'timeout'): void {
  closePending(turn, name, generation)
  generation.state = 'rolled-back'
  noteName(turn, name)
  if (generation.leases.size === 0) name.generations.delete(generation)
  const { label, lastEnd } = generation
  publish(turn, 'rollback', name, { generation: label, reason, ...(reason === 'empty' && { ended: lastEnd }) })
  for (const lease of [...generation.leases]) drain(turn, lease, 'rollback')
  touch(turn, name)
}

export function drain(turn: Turn, lease: Lease, reason: DrainReason, timeout = lease.name.config.drainTimeout): void {
  fire(turn, lease, 'drain', { reason, deadline: turn.now + timeout })
}
