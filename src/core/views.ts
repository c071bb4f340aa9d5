// What viewers see. The shell adds what only it knows: the sockets, and the states `lost` and `repaired`.

import type { LeaseView, NameView } from '../protocol/messages.ts'
import { hasHolder, type Lease, leasesOf, type Name, type Registry } from './registry.ts'
import type { ProcessKey } from './types.ts'
import { countWaiting } from './waiting.ts'

export type CoreNameView = Omit<NameView, 'sockets'>

export type CoreLeaseView = Omit<LeaseView, 'command' | 'unit' | 'container'>

/** `process`: for the shell, which knows more of it. */
export interface HolderView {
  view: CoreLeaseView
  process: ProcessKey
}

/** Each name as it is when its turn comes; those that come meanwhile are not among them. */
export function* listView({ names }: Registry): Generator<CoreNameView> {
  for (const key of [...names.keys()]) {
    const name = names.get(key)
    if (name !== undefined) yield viewName(name)
  }
}

/** By lease id. Each lease as it is when its turn comes, also one that came meanwhile; those that ended meanwhile are not among them. */
export function* holdersView(registry: Registry, only?: string): Generator<HolderView> {
  for (const lease of leasesNow(registry, only)) {
    if (registry.leases.has(lease.id)) yield { view: viewLease(lease), process: lease.holder.process }
  }
}

/** All that are granted and not ended, of one name or of all, by id, and after them those that come meanwhile. */
export function leasesNow(registry: Registry, only?: string): Iterable<Lease> {
  return only === undefined ? registry.leases.values() : leasesOfName(registry, only)
}

/** Those whose id is not below `first`, whether they go on or have ended, of which the last 4,096 are remembered. */
export function* grantedFrom({ leases, ended, nextLease }: Registry, first: number): Generator<Lease> {
  for (let id = first; id < nextLease; id++) {
    const lease = leases.get(id) ?? ended.get(id)
    if (lease !== undefined) yield lease
  }
}

function* leasesOfName(registry: Registry, key: string): Generator<Lease> {
  let last = 0
  for (let some = leasesAfter(registry, key, last); some.length > 0; some = leasesAfter(registry, key, last)) {
    for (const lease of some) yield lease
    last = some.at(-1)!.id
  }
}

function leasesAfter({ names }: Registry, key: string, last: number): Lease[] {
  const name = names.get(key)
  return name === undefined ? [] : [...leasesOf(name)].filter(({ id }) => id > last).sort((a, b) => a.id - b.id)
}

function viewName(name: Name): CoreNameView {
  const view: CoreNameView = {
    name: name.config.name,
    mode: name.config.mode,
    state: stateOf(name),
    generation: name.current.label,
    holders: countHolders(name),
    waiting: countWaiting(name),
  }
  const [successor] = name.unsettled
  if (successor !== undefined) {
    view.handingOverTo = successor.holder.pid
    view.waitingFor = formerPids(name, successor)
  }
  return view
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

function viewLease({ id, holder, generation, state, since, draining, asked, status }: Lease): CoreLeaseView {
  const view: CoreLeaseView = {
    lease: id,
    name: asked.name,
    pid: holder.pid,
    uid: holder.uid,
    gid: holder.gid,
    user: holder.user,
    generation: generation!.label,
    state: state as LeaseView['state'],
    since,
  }
  if (draining) view.deadline = draining.deadline
  if (asked.label !== undefined) view.label = asked.label
  if (status !== undefined) view.status = status
  return view
}
