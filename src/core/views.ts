// What viewers see. The shell adds what only it knows: the sockets, and the states `lost` and `repaired`.

import type { LeaseView, NameView } from '../protocol/messages.ts'
import { hasHolder, type Lease, leasesOf, type Name, type Registry } from './registry.ts'
import type { ProcessKey } from './types.ts'
import { countWaiting } from './waiting.ts'

export type CoreNameView = Omit<NameView, 'sockets'>

/** `process`: for the shell, which knows more of it. */
export type CoreLeaseView = Omit<LeaseView, 'command' | 'unit' | 'container'> & { process: ProcessKey }

export function listView(registry: Registry, only?: string): CoreNameView[] {
  return select(registry, only).map(viewName)
}

export function holdersView(registry: Registry, only?: string): CoreLeaseView[] {
  const leases = select(registry, only).flatMap((name) => [...leasesOf(name)])
  return leases.map(viewLease).sort((a, b) => a.lease - b.lease)
}

function select({ names }: Registry, only: string | undefined): Name[] {
  if (only === undefined) return [...names.values()]
  const name = names.get(only)
  return name ? [name] : []
}

function viewName(name: Name): CoreNameView {
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
function stateOf(name: Name): NameView['state'] {
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

function viewLease(lease: Lease): CoreLeaseView {
  const { id, holder, generation, state, since, draining, asked, status } = lease
  return {
    lease: id,
    name: asked.name,
    process: holder.process,
    pid: holder.pid,
    uid: holder.uid,
    gid: holder.gid,
    user: holder.user,
    generation: generation!.label,
    state: state as LeaseView['state'],
    since,
    ...(draining && { deadline: draining.deadline }),
    ...(asked.label !== undefined && { label: asked.label }),
    ...(status !== undefined && { status }),
  }
}
