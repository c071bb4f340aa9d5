// The data of the core. Maps and sets only, so that a grant costs the same with one lease and with a million.

import { EndedLeases } from './ended-leases.ts'
import type {
  AcquireEvent,
  Ask,
  ConnectionId,
  DrainReason,
  EndReason,
  HolderInfo,
  LeaseState,
  NameConfig,
  ProcessKey,
  Signal,
} from './types.ts'

export interface Generation {
  /** Registry-wide, growing: a higher one is younger. */
  readonly seq: number
  readonly label: string
  state: 'current' | 'pending' | 'superseded' | 'rolled-back'
  readonly leases: Set<Lease>
  granted: number
  ready: number
  draining: number
  /** Leases not ended whose `ready` has been answered: they may accept. */
  serving: number
  /** How the last lease to end did. */
  lastEnd: EndReason | undefined
}

export interface Name {
  config: NameConfig
  current: Generation
  /** Oldest first. */
  readonly pending: Set<Generation>
  /** Oldest first: the current one, the pending ones, and others as long as they have leases. */
  readonly generations: Set<Generation>
  /** Superseded labels and what superseded them, the oldest first. */
  readonly superseded: Map<string, string>
  /** Waiters by lane: all of one lane wait for the same thing. First come, first served within each. */
  readonly lanes: Map<string, Set<Lease>>
  /** Leases that said ready and have not been told that they may accept, or ask again. */
  readonly unsettled: Set<Lease>
  paused: boolean
  /** Why its sockets cannot be had. Nobody writes it down: a broker that comes back finds out for itself. */
  lost?: string | undefined
  removed: boolean
  draining: number
  nextLabel: number
  /** Among what the current step touched. */
  touched: boolean
  /** Among the changes of the current step. */
  changed: boolean
}

export interface Lease {
  /** 0 until it is granted, so that ids grow in the order of grants. */
  id: number
  /** The place in the waiting line. */
  readonly ticket: number
  readonly name: Name
  /** Its connection is the one that its events go to: another one after a reclaim. */
  asked: AcquireEvent
  state: LeaseState
  since: number
  holder: HolderInfo
  /** Whether its connection is open. */
  open: boolean
  /** Its connection was lost in a restart of the broker, and its process has not come back for it. */
  unclaimed: boolean
  /** Open connections that it was reclaimed from by another one of the same process. */
  former?: Set<ConnectionId>
  generation: Generation | undefined
  /** It has been told that it may accept. */
  serving: boolean
  /** `ready` requests that are not answered yet. */
  held: Ask[]
  draining?: { reason: DrainReason; deadline: number; enforced: boolean }
  ended?: EndReason
  status?: string
  /** Among the changes of the current step. */
  changed: boolean
}

/** The signals still due to a process that did not go in time; kept beyond the end of a lease that was taken away. */
export interface Pursuit {
  readonly lease: number
  readonly holder: HolderInfo
  readonly signals: Signal[]
}

/** What the current step has changed of what a restart must not forget: each of them once. */
export interface Changes {
  readonly leases: Lease[]
  readonly names: Name[]
  /** By lease. */
  readonly pursuits: Set<number>
  /** Ended leases that are not remembered any more. */
  readonly forgotten: number[]
}

export interface Registry {
  readonly names: Map<string, Name>
  readonly leases: Map<number, Lease>
  readonly waiting: Map<number, Lease>
  readonly ended: EndedLeases<Lease>
  readonly byConnection: Map<ConnectionId, Set<Lease>>
  readonly byProcess: Map<ProcessKey, Set<Lease>>
  readonly byGeneration: Map<number, Name>
  readonly pursuits: Map<number, Pursuit>
  /** Running timers, and when they fire. */
  readonly timers: Map<string, number>
  readonly changes: Changes
  nextLease: number
  nextTicket: number
  nextGeneration: number
  closing: boolean
}

/** `nextLease` continues after a restart of the broker, so that ids only grow. */
export function createRegistry(nextLease = 1): Registry {
  return {
    names: new Map(),
    leases: new Map(),
    waiting: new Map(),
    ended: new EndedLeases(),
    byConnection: new Map(),
    byProcess: new Map(),
    byGeneration: new Map(),
    pursuits: new Map(),
    timers: new Map(),
    changes: { leases: [], names: [], pursuits: new Set(), forgotten: [] },
    nextLease,
    nextTicket: 1,
    nextGeneration: 1,
    closing: false,
  }
}

export function attach<K>(index: Map<K, Set<Lease>>, key: K, lease: Lease): void {
  const set = index.get(key)
  if (set) set.add(lease)
  else index.set(key, new Set<Lease>().add(lease))
}

export function detach<K>(index: Map<K, Set<Lease>>, key: K, lease: Lease): void {
  const set = index.get(key)
  if (set?.delete(lease) && set.size === 0) index.delete(key)
}

export function rememberEnded({ ended, changes }: Registry, lease: Lease): void {
  const forgotten = ended.add(lease)
  if (forgotten !== undefined) changes.forgotten.push(forgotten)
}

/** All leases of a name that are granted and not ended. */
export function* leasesOf(name: Name): Generator<Lease> {
  for (const generation of [...name.generations]) yield* [...generation.leases]
}

export function hasHolder(name: Name): boolean {
  for (const generation of name.generations) if (generation.leases.size > 0) return true
  return false
}
