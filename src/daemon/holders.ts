// What `holders` shows: the core's leases beside what the kernel says of their processes at the moment of asking, and who else
// has the sockets open.

import { type CoreLeaseView, holdersView } from '../core/views.ts'
import type { HoldersAnswer, LeaseView, Requests, UndeclaredView } from '../protocol/messages.ts'
import { containerOfCgroup, type ScannedProcess, surveyProcesses, unitOfCgroup } from '../sys/index.ts'
import type { HolderViews, Host } from './host.ts'
import { ancestorsOf, ownProcesses } from './own-processes.ts'
import { SharedLooks } from './shared-looks.ts'
import { inSlices, mapInSlices } from './slices.ts'

interface Seen {
  found: ReadonlyMap<number, ScannedProcess>
  /** The name of each socket that was looked for, by its inode. */
  sockets: ReadonlyMap<number, string>
  /** How many could not be looked into. */
  unseen: number
}

/** It starts what serves, and is closed to everybody on some hosts. */
const INIT = 1

/** For one name, or for all. */
type Looks = SharedLooks<string | undefined, Seen, HoldersAnswer>

export class Holders implements HolderViews {
  private readonly declared: Looks
  private readonly everybody: Looks

  constructor(broker: Host) {
    this.declared = looksOf(broker, false)
    this.everybody = looksOf(broker, true)
  }

  /** Leases in the order of their ids, then, where they are asked for, undeclared copies in the order of their pids. */
  views({ name, undeclared = true }: Requests['holders'], wanted: () => boolean): Promise<HoldersAnswer | undefined> {
    return (undeclared ? this.everybody : this.declared).view(name, wanted)
  }
}

function looksOf(broker: Host, undeclared: boolean): Looks {
  return new SharedLooks(
    (names) => look(broker, names, undeclared),
    (name, seen) => show(broker, name, seen),
  )
}

async function look(
  { sockets, registry }: Host,
  names: readonly (string | undefined)[],
  undeclared: boolean,
): Promise<Seen> {
  const each = names.includes(undefined) ? [undefined] : names
  const byInode = new Map(undeclared ? each.flatMap((name) => [...sockets.byInode(name)]) : [])
  const pids = each.flatMap((name) => holdersView(registry, name).map(({ pid }) => pid))
  const found = new Map<number, ScannedProcess>()
  const survey = await surveyProcesses(byInode.keys(), pids)
  await inSlices(survey.found, (process) => found.set(process.pid, process))
  const { pids: own } = ownProcesses()
  const unseen = survey.unseen.filter((pid) => pid !== INIT && !own.has(pid)).length
  return { found, sockets: byInode, unseen }
}

async function show(broker: Host, name: string | undefined, { found, sockets, unseen }: Seen): Promise<HoldersAnswer> {
  // Asked again: a lease that came during the look at /proc must not turn up as an undeclared copy.
  const leases = holdersView(broker.registry, name)
  const declared = await mapInSlices(leases, (lease) => leaseView(broker, lease, found))
  if (sockets.size === 0) return { holders: declared }
  const ofName = (inode: number) => {
    const owner = sockets.get(inode)
    return owner === undefined || (name !== undefined && owner !== name) ? [] : [owner]
  }
  const holders = [...declared, ...(await undeclaredViews(broker, found, ofName, leases))]
  return { holders, ...(unseen > 0 && { unseen }) }
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
  namesOf: (inode: number) => readonly string[],
  leases: readonly CoreLeaseView[],
): Promise<UndeclaredView[]> {
  const own = ownProcesses()
  const leaseOf = new Map(leases.map(({ lease, name, pid }) => [`${pid} ${name}`, lease]))
  const parents = new Map([...found.values()].map(({ pid, parent }) => [pid, parent]))
  const views: UndeclaredView[] = []
  await inSlices(found.values(), (seen) => {
    const { pid, parent, uid, gid, command, inodes } = seen
    if (own.pids.has(pid) || parent === own.keeper) return
    for (const name of new Set(inodes.flatMap(namesOf))) {
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
