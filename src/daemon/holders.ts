// What `holders` shows: the core's leases beside what the kernel says of their processes at the moment of asking, and who else
// has the sockets open.

import type { ProcessKey } from '../core/types.ts'
import { grantedFrom, holdersView, leasesNow } from '../core/views.ts'
import type { HoldersAnswer, LeaseView, Requests, UndeclaredView } from '../protocol/messages.ts'
import { containerOfCgroup, type ScannedProcess, surveyProcesses, unitOfCgroup } from '../sys/index.ts'
import type { HolderViews, Host } from './host.ts'
import { ancestorsOf, type OwnProcesses, ownProcesses } from './own-processes.ts'
import { SharedLooks } from './shared-looks.ts'
import { inSlices } from './slices.ts'

interface Seen {
  found: ReadonlyMap<number, ScannedProcess>
  own: OwnProcesses
  /** Of all who had one during the look: who has a socket open by right is no copy, though his lease has begun or ended meanwhile. */
  leases: Leases
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
  const only = names.includes(undefined) ? undefined : new Set(names.filter((name) => name !== undefined))
  const leases = new Leases()
  const next = registry.nextLease
  const each = only === undefined ? leasesNow(registry) : [...only].flatMap((name) => [...leasesNow(registry, name)])
  await inSlices(each, ({ id, asked: { name }, holder }) => leases.add(holder.pid, name, id))
  const byInode = new Map<number, string>()
  if (undeclared) {
    await inSlices(only ?? registry.names.keys(), (name) => {
      for (const inode of sockets.inodes(name)) byInode.set(inode, name)
    })
  }
  const survey = await surveyProcesses(byInode.keys(), leases.pids())
  const found = new Map<number, ScannedProcess>()
  await inSlices(survey.found, (process) => found.set(process.pid, process))
  for (const { id, asked, holder } of grantedFrom(registry, next)) leases.add(holder.pid, asked.name, id)
  const own = ownProcesses()
  const unseen = survey.unseen.filter((pid) => pid !== INIT && !own.pids.has(pid)).length
  return { found, own, leases, sockets: byInode, unseen }
}

async function show(broker: Host, name: string | undefined, seen: Seen): Promise<HoldersAnswer> {
  const { processes, users, registry } = broker
  const declared: LeaseView[] = []
  const known = new Map<ProcessKey, Facts>()
  await inSlices(holdersView(registry, name), ({ view, process }) => {
    const facts = known.get(process) ?? factsOf(processes.livesStill(process) ? seen.found.get(view.pid) : undefined)
    known.set(process, facts)
    view.user = users.of(view.uid)
    declared.push(Object.assign(view, facts))
  })
  if (seen.sockets.size === 0) return { holders: declared }
  const copies = await undeclaredViews(broker, name, seen)
  return { holders: [...declared, ...copies], ...(seen.unseen > 0 && { unseen: seen.unseen }) }
}

type Facts = Pick<LeaseView, 'command' | 'unit' | 'container'>

function factsOf({ command = '', cgroup }: Partial<ScannedProcess> = {}): Facts {
  const facts: Facts = { command }
  const unit = cgroup && unitOfCgroup(cgroup)
  const container = cgroup && containerOfCgroup(cgroup)
  if (unit) facts.unit = unit
  if (container) facts.container = container
  return facts
}

/** The id of the lease that a process has of a name. */
class Leases {
  private readonly ids = new Map<number, Map<string, number>>()

  add(pid: number, name: string, id: number): void {
    const ofProcess = this.ids.get(pid)
    if (ofProcess === undefined) this.ids.set(pid, new Map([[name, id]]))
    else ofProcess.set(name, id)
  }

  of(pid: number, name: string): number | undefined {
    return this.ids.get(pid)?.get(name)
  }

  pids(): Iterable<number> {
    return this.ids.keys()
  }
}

async function undeclaredViews(
  { users }: Host,
  only: string | undefined,
  { found, own, leases, sockets }: Seen,
): Promise<UndeclaredView[]> {
  const views: UndeclaredView[] = []
  await inSlices(found.values(), (seen) => {
    const { pid, parent, uid, gid, inodes } = seen
    if (own.pids.has(pid) || parent === own.keeper) return
    for (const name of new Set(inodes.map((inode) => sockets.get(inode)))) {
      if (name === undefined || (only !== undefined && name !== only) || leases.of(pid, name) !== undefined) continue
      const from = inheritedFrom(pid, name)
      views.push({
        lease: null,
        name,
        pid,
        uid,
        gid,
        user: users.of(uid),
        ...factsOf(seen),
        generation: null,
        state: 'undeclared',
        since: null,
        ...(from !== undefined && { inheritedFrom: from }),
      })
    }
  })
  return views.sort((a, b) => a.pid - b.pid || (a.name < b.name ? -1 : 1))

  function inheritedFrom(pid: number, name: string): number | undefined {
    for (const ancestor of ancestorsOf(pid, (child) => found.get(child)?.parent)) {
      const lease = leases.of(ancestor, name)
      if (lease !== undefined) return lease
    }
    return undefined
  }
}
