// What `holders` shows: the core's leases beside what the kernel says of their processes at the moment of asking, and who else
// has the sockets open.

import { type CoreLeaseView, holdersView } from '../core/views.ts'
import type { HolderView, LeaseView, UndeclaredView } from '../protocol/messages.ts'
import { containerOfCgroup, type ScannedProcess, scanProcesses, unitOfCgroup } from '../sys/index.ts'
import type { Host } from './host.ts'
import { ancestorsOf, ownProcesses } from './own-processes.ts'
import { inSlices, mapInSlices } from './slices.ts'

export interface HoldersAsked {
  name?: string
  /** Whether to look for copies without a lease. */
  undeclared?: boolean
}

/** Leases in the order of their ids, then undeclared copies in the order of their pids. */
export async function holderViews(broker: Host, { name, undeclared = true }: HoldersAsked): Promise<HolderView[]> {
  const sockets = undeclared ? broker.sockets.byInode(name) : new Map<number, string>()
  const pids = holdersView(broker.registry, name).map(({ pid }) => pid)
  const found = new Map<number, ScannedProcess>()
  await inSlices(await scanProcesses(sockets.keys(), pids), (process) => found.set(process.pid, process))
  // Asked again: a lease that came during the look at /proc must not turn up as an undeclared copy.
  const leases = holdersView(broker.registry, name)
  const declared = await mapInSlices(leases, (lease) => leaseView(broker, lease, found))
  return undeclared ? [...declared, ...(await undeclaredViews(broker, found, sockets, leases))] : declared
}

function leaseView(
  { processes, users }: Host,
  { process, ...lease }: CoreLeaseView,
  found: ReadonlyMap<number, ScannedProcess>,
): LeaseView {
  const seen = processes.livesStill(process) ? found.get(lease.pid) : undefined
  return { ...lease, user: users.of(lease.uid), command: seen?.command ?? '', ...placeOf(seen) }
}

function placeOf(seen: ScannedProcess | undefined): { unit?: string; container?: string } {
  const { cgroup } = seen ?? {}
  if (cgroup === undefined) return {}
  const unit = unitOfCgroup(cgroup)
  const container = containerOfCgroup(cgroup)
  return { ...(unit !== undefined && { unit }), ...(container !== undefined && { container }) }
}

async function undeclaredViews(
  { users }: Host,
  found: ReadonlyMap<number, ScannedProcess>,
  sockets: ReadonlyMap<number, string>,
  leases: readonly CoreLeaseView[],
): Promise<UndeclaredView[]> {
  const own = ownProcesses()
  const leaseOf = new Map(leases.map(({ lease, name, pid }) => [`${pid} ${name}`, lease]))
  const parents = new Map([...found.values()].map(({ pid, parent }) => [pid, parent]))
  const views: UndeclaredView[] = []
  await inSlices(found.values(), (seen) => {
    const { pid, parent, uid, gid, command, inodes } = seen
    if (own.pids.has(pid) || parent === own.keeper) return
    for (const name of new Set(inodes.flatMap((inode) => sockets.get(inode) ?? []))) {
      if (leaseOf.has(`${pid} ${name}`)) continue
      const from = inheritedFrom(pid, name)
      views.push({
        lease: null,
        name,
        pid,
        uid,
        gid,
        user: users.of(uid),
        command,
        ...placeOf(seen),
        generation: null,
        state: 'undeclared',
        since: null,
        ...(from !== undefined && { inheritedFrom: from }),
      })
    }
  })
  return views.sort((a, b) => a.pid - b.pid || (a.name < b.name ? -1 : 1))

  function inheritedFrom(pid: number, name: string): number | undefined {
    for (const ancestor of ancestorsOf(pid, parents)) {
      const lease = leaseOf.get(`${ancestor} ${name}`)
      if (lease !== undefined) return lease
    }
    return undefined
  }
}
