// Strictness is between leases: when a lease of an exclusive name ends, its successor is granted although a child of the former
// holder may still have the socket open. Whoever has is named by an event, looked for when the grant has long gone out.

import { hasHolder, leasesOf, type Registry } from '../core/registry.ts'
import { grantedFrom } from '../core/views.ts'
import { scanProcesses } from '../sys/index.ts'
import type { Log } from './log.ts'
import { ancestorsOf, ownProcesses } from './own-processes.ts'
import type { Sockets } from './sockets.ts'

/** A process that ends closes its descriptors within this time, and a worker that gave its lease back does too. */
const LOOK_AFTER_MS = 200
/** What is wanting for a look, descriptors or memory, may be there then. */
const LOOK_AGAIN_MS = 2_000

/** An event is one packet (REPLY_MAX), however many children somebody has. */
const PIDS_MOST = 1024

interface Copies {
  name: string
  pids: number[]
  /** How many more there are. */
  others?: number
}

export class UndeclaredCopies {
  private readonly registry: Registry
  private readonly sockets: Sockets
  private readonly log: Log
  private readonly found: (copies: Copies) => void
  private readonly timers = new Map<string, NodeJS.Timeout>()
  private closed = false

  constructor(registry: Registry, sockets: Sockets, log: Log, found: (copies: Copies) => void) {
    this.registry = registry
    this.sockets = sockets
    this.log = log
    this.found = found
  }

  /** A lease of that name has ended. */
  leaseEnded(name: string): void {
    if (this.closed || this.registry.names.get(name)?.config.mode !== 'exclusive' || this.timers.has(name)) return
    this.lookAfter(LOOK_AFTER_MS, name)
  }

  private lookAfter(milliseconds: number, name: string): void {
    const look = () => this.look(name).catch((error: unknown) => this.failed(name, error))
    this.timers.set(name, setTimeout(look, milliseconds))
  }

  private failed(name: string, err: unknown): void {
    if (this.closed || this.timers.has(name)) return
    this.log.warn({ name, err }, 'who keeps a copy of the socket cannot be seen; there is another look soon')
    this.lookAfter(LOOK_AGAIN_MS, name)
  }

  /** Who had a lease at any time during it is no copy, nor is what he started: when a lease ends meanwhile, there is another look. */
  private async look(name: string): Promise<void> {
    this.timers.delete(name)
    const next = this.registry.nextLease
    const declared = this.declared(name)
    const found = new Map([...(await scanProcesses(this.sockets.inodes(name)))].map((each) => [each.pid, each]))
    if (this.closed) return
    for (const { asked, holder } of grantedFrom(this.registry, next)) if (asked.name === name) declared.add(holder.pid)
    const own = ownProcesses()
    const undeclared = [...found.values()].filter(({ pid, parent }) => {
      if (own.pids.has(pid) || parent === own.keeper || declared.has(pid)) return false
      return ![...ancestorsOf(pid, (child) => found.get(child)?.parent)].some((ancestor) => declared.has(ancestor))
    })
    const pids = undeclared.slice(0, PIDS_MOST).map(({ pid }) => pid)
    const others = undeclared.length - pids.length
    if (pids.length > 0) this.found({ name, pids, ...(others > 0 && { others }) })
  }

  private declared(name: string): Set<number> {
    const pids = new Set<number>()
    const known = this.registry.names.get(name)
    if (known !== undefined && hasHolder(known)) for (const { holder } of leasesOf(known)) pids.add(holder.pid)
    return pids
  }

  close(): void {
    this.closed = true
    for (const timer of this.timers.values()) clearTimeout(timer)
    this.timers.clear()
  }
}
