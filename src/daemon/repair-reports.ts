// How a repair is told: a log line, an event and a count, each with who may have done it. A holder that shuts a socket ten thousand
// times a second is repaired as often, but fills no log: what goes beyond a few a second is told once, with how many there were.

import { leasesOf, type Registry } from '../core/registry.ts'
import type { Occurrence } from './history.ts'
import type { Log } from './log.ts'
import type { RepairMarks } from './state/repair-marks.ts'

interface Suspect {
  lease: number
  pid: number
  user: string
}

interface Suspects {
  suspects: Suspect[]
  /** How many more there are. */
  others?: number
}

export interface Repair {
  name: string
  address: string
  /** `shutdown`, `backlog`, `SO_RCVTIMEO`… */
  what: readonly string[]
  /** The process that called listen() on a Unix listener. */
  by?: number
  /** There is a new socket at the address. */
  replaced?: true
}

const TOLD_PER_SECOND = 20

/** Longer than between two audits: who ended since the last one may have done it. */
const REMEMBERED_MS = 2500
/** Of one name, the last ones: thousands of leases may end in a second. */
const REMEMBERED_MOST = 64
/** Of the holders at that moment, the last ones: an event is one packet (REPLY_MAX), however many hold the name. */
const HOLDERS_MOST = 64

interface Former extends Suspect {
  /** performance.now() */
  until: number
}

interface Untold {
  repair: Repair
  times: number
}

export class RepairReports {
  /** Repairs by name, since the start. */
  readonly counts: Record<string, number> = {}
  private readonly told = new Map<string, number>()
  private readonly untold = new Map<string, Untold>()
  private readonly former = new Map<string, Former[]>()
  private readonly marks: RepairMarks
  private readonly registry: Registry
  private readonly log: Log
  private readonly publish: (event: Occurrence) => void

  constructor(registry: Registry, marks: RepairMarks, log: Log, publish: (event: Occurrence) => void) {
    this.marks = marks
    this.registry = registry
    this.log = log
    this.publish = publish
  }

  repaired(repair: Repair): void {
    const { name } = repair
    this.counts[name] = (this.counts[name] ?? 0) + 1
    this.marks.repaired(name, Date.now())
    const told = this.told.get(name) ?? 0
    this.told.set(name, told + 1)
    if (told < TOLD_PER_SECOND) return this.tell(repair, 1)
    const key = `${repair.address} ${repair.what.join()}`
    const untold = this.untold.get(key) ?? { repair, times: 0 }
    untold.times++
    this.untold.set(key, untold)
  }

  /** When a name was last repaired, if that is to be shown still; milliseconds since the epoch. */
  repairedAt(name: string): number | undefined {
    return this.marks.at(name, Date.now())
  }

  /** Every second. */
  tick(): void {
    this.told.clear()
    this.marks.sweep(Date.now())
    for (const { repair, times } of this.untold.values()) this.tell(repair, times)
    this.untold.clear()
    const now = performance.now()
    for (const [name, former] of this.former) {
      const still = former.filter(({ until }) => until > now)
      if (still.length > 0) this.former.set(name, still)
      else this.former.delete(name)
    }
  }

  /** A lease of the name has ended. */
  ended(name: string, lease: number): void {
    const holder = this.registry.ended.get(lease)?.holder
    if (holder === undefined) return
    const until = performance.now() + REMEMBERED_MS
    const former = this.former.get(name)
    const entry = { lease, pid: holder.pid, user: holder.user, until }
    if (former === undefined) this.former.set(name, [entry])
    else if (former.push(entry) > REMEMBERED_MOST) former.shift()
  }

  /** Who has the name's sockets, or had them a moment ago: one of them did it, unless a process that was given a copy did. */
  suspects(name: string): Suspects {
    const known = this.registry.names.get(name)
    const now = known === undefined ? [] : [...leasesOf(known)]
    const others = Math.max(0, now.length - HOLDERS_MOST)
    const former = this.former.get(name) ?? []
    const suspects = [
      ...now.slice(others).map(({ id, holder }) => ({ lease: id, pid: holder.pid, user: holder.user })),
      ...former.map(({ lease, pid, user }) => ({ lease, pid, user })),
    ]
    return { suspects, ...(others > 0 && { others }) }
  }

  /** Nothing can be done while a holder has it. */
  lost(repair: Repair): void {
    this.publish({ event: 'lost', at: Date.now(), ...repair, ...this.suspects(repair.name) })
  }

  private tell(repair: Repair, times: number): void {
    const details = { ...repair, ...(times > 1 && { times }), ...this.suspects(repair.name) }
    this.log.warn(details, 'a holder changed the shared socket for all: repaired')
    this.publish({ event: 'repaired', at: Date.now(), ...details })
  }
}
