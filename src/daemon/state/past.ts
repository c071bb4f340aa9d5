// What a new broker finds of the one before, and how it becomes that one: the same leases, the same watched processes, the same timers.

import { createFold, type Folded } from '../../core/fold.ts'
import type { Registry } from '../../core/registry.ts'
import { restore } from '../../core/restore.ts'
import type { StateRecord } from '../../core/state.ts'
import type { Effect, HolderInfo, ProcessKey, Signal } from '../../core/types.ts'
import { KeptDescriptors } from '../kept-descriptors.ts'
import { processKey } from '../process-bound.ts'
import type { Processes } from '../processes.ts'
import type { SocketsAhead } from '../sockets-ahead.ts'

export interface Past {
  kept: KeptDescriptors
  folded: Folded
  /** As StateLogOptions has it. */
  written?: Map<string, string>
  ahead?: SocketsAhead | undefined
}

export function noPast(): Past {
  return { kept: new KeptDescriptors(), folded: createFold() }
}

export interface Restored {
  registry: Registry
  effects: Effect[]
  /** One use of a process for each lease: to be left when their holders have had the time to come back. */
  used: ProcessKey[]
}

export function restorePast({ kept, folded }: Past, processes: Processes, reclaimTimeout: number): Restored {
  const used: ProcessKey[] = []
  const processOf = (holder: Omit<HolderInfo, 'process'>, lease: number) => {
    const [pidfd, ...others] = kept.claim(processKey(lease))
    for (const other of others) other.close()
    const process = processes.restore(holder, pidfd)
    used.push(process)
    return process
  }
  return { ...restore(folded, { now: Date.now(), reclaimTimeout, processOf }), used }
}

/** The highest number that a connection of the broker before had, as far as anything of it is left. */
export function lastConnection({ leases }: Registry): number {
  let last = 0
  for (const { asked } of leases.values()) last = Math.max(last, asked.connection)
  return last
}

/** A signal that is decided and not yet sent, or the one that stands for an event that may not have been: `owed/LEASE`. */
export interface OwedSignal {
  holder: HolderInfo
  signal: Signal
}

/** Written with the step that decides on signals, and taken back when they are sent: rather twice than never. */
export function owedBy(effects: readonly Effect[], registry: Registry): StateRecord[] {
  const owed: StateRecord[] = []
  if (!effects.some(({ type }) => type === 'signal' || type === 'tell')) return owed
  const drains = drainsBegun(effects)
  for (const effect of effects) {
    const due = effect.type === 'signal' ? effect : inPlaceOf(effect, drains, registry)
    const holder = due && holderOf(registry, due.lease)
    if (holder === undefined) continue
    owed.push({ key: `owed/${due!.lease}`, value: { holder, signal: due!.signal } satisfies OwedSignal })
  }
  return owed
}

function drainsBegun(effects: readonly Effect[]): Set<number> {
  const begun = new Set<number>()
  for (const effect of effects) {
    if (effect.type === 'publish' && effect.event.event === 'drain') begun.add(effect.event.lease!)
  }
  return begun
}

/** The connection ends with this broker, and the holder of a process-bound lease need not come back: then its signal tells it. */
function inPlaceOf(
  effect: Effect,
  drains: ReadonlySet<number>,
  { leases }: Registry,
): { lease: number; signal: Signal } | undefined {
  if (effect.type !== 'tell' || effect.event.event !== 'drain' || !drains.has(effect.event.lease)) return undefined
  const { lease } = effect.event
  const asked = leases.get(lease)?.asked
  return asked?.bind === 'process' ? { lease, signal: `SIG${asked.drainSignal ?? 'TERM'}` } : undefined
}

function holderOf({ leases, ended, pursuits }: Registry, id: number): HolderInfo | undefined {
  return (leases.get(id) ?? ended.get(id) ?? pursuits.get(id))?.holder
}
