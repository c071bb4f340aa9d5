// The registry after a restart of the broker, from what its records say. What depended on the connections is as if all of them had
// been lost in that moment, except that leases bound to one wait for their process to reclaim them.

import type { Folded } from './fold.ts'
import { attach, createRegistry, type Generation, type Lease, type Name, type Registry } from './registry.ts'
import { holderOf, type LeaseRecord, type NameRecord, type PursuitRecord } from './state.ts'
import type { Effect, HolderInfo, ProcessKey } from './types.ts'

export interface RestoreOptions {
  now: number
  /** How long a lease that was bound to a connection waits to be reclaimed. */
  reclaimTimeout: number
  /** The process behind the holder of a lease, which is watched from now on. */
  processOf(holder: Omit<HolderInfo, 'process'>, lease: number): ProcessKey
}

/** A deadline that passed while there was no broker is put off so far, because nobody could meet it. */
export const GRACE = 1_000

/** The process of a lease that is over: nobody watches it. */
const NOBODY = 0

/** `effects`: the timers that run again. */
export function restore(folded: Folded, options: RestoreOptions): { registry: Registry; effects: Effect[] } {
  const registry = createRegistry(folded.meta.nextLease)
  registry.nextGeneration = folded.meta.nextGeneration
  const generations = new Map<number, Generation>()
  const entries = [...folded.values]
  for (const [key, value] of entries) {
    if (key.startsWith('name/')) restoreName(registry, value as NameRecord, generations, options)
  }
  const leases = entries.filter(([key]) => key.startsWith('lease/')).map(([key, value]) => [idOf(key), value] as const)
  for (const [id, value] of leases.sort(([a], [b]) => a - b)) {
    restoreLease(registry, id, value as LeaseRecord, generations, options)
  }
  for (const name of registry.names.values()) tidy(name)
  for (const [key, value] of entries) {
    if (key.startsWith('pursuit/')) restorePursuit(registry, idOf(key), value as PursuitRecord, options)
  }
  return { registry, effects: [...registry.timers].map(([key, at]) => ({ type: 'start-timer', key, at })) }
}

const idOf = (key: string) => Number(key.slice(key.indexOf('/') + 1))

function startTimer({ timers }: Registry, key: string, at: number, { now }: RestoreOptions): void {
  timers.set(key, Math.max(at, now + GRACE))
}

function restoreName(
  registry: Registry,
  record: NameRecord,
  all: Map<number, Generation>,
  options: RestoreOptions,
): void {
  const generations = record.generations.map(({ seq, label, state }): Generation => {
    return { seq, label, state, leases: new Set(), granted: 0, ready: 0, draining: 0, serving: 0, lastEnd: undefined }
  })
  for (const generation of generations) all.set(generation.seq, generation)
  const name: Name = {
    config: record.config,
    current: all.get(record.current)!,
    pending: new Set(generations.filter(({ state }) => state === 'pending')),
    generations: new Set(generations),
    superseded: new Map(record.superseded),
    lanes: new Map(),
    unsettled: new Set(),
    paused: record.paused,
    removed: record.removedAt !== undefined,
    draining: 0,
    nextLabel: record.nextLabel,
    touched: false,
    changed: false,
  }
  registry.names.set(record.config.name, name)
  for (const { seq } of name.pending) registry.byGeneration.set(seq, name)
  for (const { seq, promoteAt } of record.generations) {
    if (promoteAt !== undefined) startTimer(registry, `promote/${seq}`, promoteAt, options)
  }
  if (record.removedAt !== undefined) {
    startTimer(registry, `removed/${record.config.name}`, record.removedAt, options)
  }
}

function restoreLease(
  registry: Registry,
  id: number,
  record: LeaseRecord,
  generations: Map<number, Generation>,
  options: RestoreOptions,
): void {
  const lease = leaseOf(registry, id, record, generations, options)
  if (!lease) return
  if (lease.state === 'ended') {
    registry.ended.add(lease)
    return
  }
  const { name, asked, holder, generation, state } = lease
  registry.leases.set(id, lease)
  attach(registry.byConnection, asked.connection, lease)
  attach(registry.byProcess, holder.process, lease)
  generation!.leases.add(lease)
  generation![state as 'granted' | 'ready' | 'draining']++
  if (state === 'draining') name.draining++
  if (lease.serving) generation!.serving++
  if (state === 'ready' && !lease.serving) name.unsettled.add(lease)
  startClocks(registry, lease, record, options)
}

function leaseOf(
  registry: Registry,
  id: number,
  record: LeaseRecord,
  generations: Map<number, Generation>,
  { processOf }: RestoreOptions,
): Lease | undefined {
  const { connection, bind = 'connection', label, drainSignal, readyAfter, draining, ended, status } = record
  const name = registry.names.get(record.name)
  const generation = generations.get(record.generation)
  if (!name || (!generation && ended === undefined)) return undefined
  const known = holderOf(record.holder)
  const holder: HolderInfo = { ...known, process: ended === undefined ? processOf(known, id) : NOBODY }
  return {
    id,
    ticket: 0,
    changed: false,
    name,
    asked: {
      type: 'acquire',
      connection,
      request: 0,
      name: record.name,
      holder,
      takeover: false,
      wait: 0,
      ready: false,
      bind,
      ...(label !== undefined && { label }),
      ...(drainSignal !== undefined && { drainSignal }),
      ...(readyAfter !== undefined && { readyAfter }),
    },
    state: record.state,
    since: record.since,
    holder,
    open: false,
    // A program that had left its connection before has no use for another.
    unclaimed: ended === undefined && (record.open !== false || record.unclaimed === true),
    generation,
    serving: record.serving === true,
    held: [],
    ...(draining && { draining: { ...draining } }),
    ...(ended !== undefined && { ended }),
    ...(status !== undefined && { status }),
  }
}

function startClocks(registry: Registry, lease: Lease, record: LeaseRecord, options: RestoreOptions): void {
  const { id, asked, name } = lease
  const { readyAt, aliveAt, drainAt, watchdogAt, open = true } = record
  const clock = (kind: string, at: number) => startTimer(registry, `${kind}/${id}`, at, options)
  if (readyAt !== undefined) clock('ready', readyAt)
  // Its connection ended with the broker, and only from then on is a program alive.
  if (aliveAt !== undefined) clock('alive', open ? options.now + asked.readyAfter! : aliveAt)
  if (drainAt !== undefined) clock('drain', drainAt)
  // Whether it was fed while there was no broker, nobody knows.
  if (watchdogAt !== undefined) clock('watchdog', options.now + (name.config.watchdog ?? 0))
  if (asked.bind === 'connection') registry.timers.set(`reclaim/${id}`, options.now + options.reclaimTimeout)
}

/** Generations that ended with their last lease; and who waits for its turn, the first in line first. */
function tidy(name: Name): void {
  for (const generation of name.generations) {
    const lives = generation === name.current || generation.state === 'pending' || generation.leases.size > 0
    if (!lives) name.generations.delete(generation)
  }
  const line = [...name.unsettled].sort((a, b) => a.since - b.since)
  name.unsettled.clear()
  for (const lease of line) name.unsettled.add(lease)
}

function restorePursuit(registry: Registry, id: number, record: PursuitRecord, options: RestoreOptions): void {
  const known = holderOf(record.holder)
  const holder = { ...known, process: options.processOf(known, id) }
  registry.pursuits.set(id, { lease: id, holder, signals: [...record.signals] })
  startTimer(registry, `kill/${id}`, record.at, options)
}
