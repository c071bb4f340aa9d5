// What viewers see. The shell adds what only it knows: the sockets, and the states `lost` and `repaired`.

import { hasHolder, type Lease, leasesOf, type Name, type Registry } from './registry.ts'
import type { ProcessKey } from './types.ts'
import { countWaiting } from './waiting.ts'

export type NameState = 'paused' | 'handing-over' | 'saturated' | 'idle' | 'ok'

export interface NameView {
  name: string
  mode: 'shared' | 'exclusive'
  state: NameState
  /** The label of the current generation. */
  generation: string
  holders: { granted: number; ready: number; draining: number }
  waiting: number
  /** While an exclusive name is handed over: the pid that waits to accept, and the pids that it waits for. */
  handingOverTo?: number
  waitingFor?: number[]
}

export interface HolderView {
  lease: number
  name: string
  /** For the shell, which knows more of the process. */
  process: ProcessKey
  pid: number
  uid: number
  gid: number
  user: string
  command: string
  unit?: string
  generation: string
  state: 'granted' | 'ready' | 'draining'
  since: number
  deadline?: number
  label?: string
  status?: string
}

export function listView(registry: Registry, only?: string): NameView[] {
  return select(registry, only).map(viewName)
}

export function holdersView(registry: Registry, only?: string): HolderView[] {
  const leases = select(registry, only).flatMap((name) => [...leasesOf(name)])
  return leases.map(viewLease).sort((a, b) => a.lease - b.lease)
}

function select({ names }: Registry, only: string | undefined): Name[] {
  if (only === undefined) return [...names.values()]
  const name = names.get(only)
  return name ? [name] : []
}

function viewName(name: Name): NameView {
  const successor = [...name.unsettled][0]
  return {
    name: name.config.name,
    mode: name.config.mode,
    state: stateOf(name),
    generation: name.current.label,
    holders: countHolders(name),
    waiting: countWaiting(name),
    ...(successor && { handingOverTo: successor.holder.pid, waitingFor: formerPids(name, successor) }),
  }
}

/** The first that applies. A standby that waits for an exclusive name is that name's normal life, not saturation. */
function stateOf(name: Name): NameState {
  if (name.paused) return 'paused'
  if (name.unsettled.size > 0) return 'handing-over'
  if (name.config.mode === 'shared' && name.lanes.size > 0) return 'saturated'
  return hasHolder(name) ? 'ok' : 'idle'
}

function countHolders({ generations }: Name): NameView['holders'] {
  const holders = { granted: 0, ready: 0, draining: 0 }
  for (const { granted, ready, draining } of generations) {
    holders.granted += granted
    holders.ready += ready
    holders.draining += draining
  }
  return holders
}

function formerPids(name: Name, successor: Lease): number[] {
  const { seq } = successor.generation!
  const others = [...leasesOf(name)].filter((lease) => lease !== successor)
  const former = others.filter(({ generation, serving, state }) => {
    return serving || generation!.seq < seq || (generation!.seq === seq && state === 'draining')
  })
  return former.map(({ holder }) => holder.pid)
}

function viewLease(lease: Lease): HolderView {
  const { id, holder, generation, state, since, draining, asked, status } = lease
  return {
    lease: id,
    name: asked.name,
    process: holder.process,
    pid: holder.pid,
    uid: holder.uid,
    gid: holder.gid,
    user: holder.user,
    command: holder.command,
    ...(holder.unit !== undefined && { unit: holder.unit }),
    generation: generation!.label,
    state: state as HolderView['state'],
    since,
    ...(draining && { deadline: draining.deadline }),
    ...(asked.label !== undefined && { label: asked.label }),
    ...(status !== undefined && { status }),
  }
}
