// Strictness is between leases: when a lease of an exclusive name ends, its successor is granted although a child of the former
// holder may still have the socket open. Whoever has is named by an event, looked for when the grant has long gone out.

import { hasHolder, leasesOf, type Registry } from '../core/registry.ts'
import { scanProcesses } from '../sys/index.ts'
import { ancestorsOf, ownProcesses } from './own-processes.ts'
import type { Sockets } from './sockets.ts'

/** A process that ends closes its descriptors within this time, and a worker that gave its lease back does too. */
const LOOK_AFTER_MS = 200

export class UndeclaredCopies {
  private readonly registry: Registry
  private readonly sockets: Sockets
  private readonly found: (name: string, pids: number[]) => void
  private readonly timers = new Map<string, NodeJS.Timeout>()

  constructor(registry: Registry, sockets: Sockets, found: (name: string, pids: number[]) => void) {
    this.registry = registry
    this.sockets = sockets
    this.found = found
  }

  /** A lease of that name has ended. */
  leaseEnded(name: string): void {
    if (this.registry.names.get(name)?.config.mode !== 'exclusive' || this.timers.has(name)) return
    this.timers.set(
      name,
      setTimeout(() => this.look(name), LOOK_AFTER_MS),
    )
  }

  private async look(name: string): Promise<void> {
    const found = [...(await scanProcesses(this.sockets.inodes(name)))]
    if (!this.timers.delete(name)) return
    const own = ownProcesses()
    const declared = this.declared(name)
    const undeclared = found.filter(({ pid, parent }) => {
      if (own.pids.has(pid) || parent === own.keeper || declared.has(pid)) return false
      return ![...ancestorsOf(pid)].some((ancestor) => declared.has(ancestor))
    })
    if (undeclared.length > 0)
      this.found(
        name,
        undeclared.map(({ pid }) => pid),
      )
  }

  /** Who has a lease now; what they started shares their lease. */
  private declared(name: string): Set<number> {
    const pids = new Set<number>()
    const known = this.registry.names.get(name)
    if (known !== undefined && hasHolder(known)) for (const { holder } of leasesOf(known)) pids.add(holder.pid)
    return pids
  }

  close(): void {
    for (const timer of this.timers.values()) clearTimeout(timer)
    this.timers.clear()
  }
}
