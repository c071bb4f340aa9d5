// Strictness is between leases: when a lease of an exclusive name ends, its successor is granted although a child of the former
// holder may still have the socket open. Whoever has is named by an event, looked for when the grant has long gone out.

import { hasHolder, leasesOf, type Registry } from '../core/registry.ts'
import { parentOf, processesWith } from '../sys/index.ts'
import type { Sockets } from './sockets.ts'

/** A process that ends closes its descriptors within this time, and a worker that gave its lease back does too. */
const LOOK_AFTER_MS = 200

/** Deeper than any supervisor's tree of workers. */
const ANCESTORS_MOST = 16

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
    const pids = await processesWith(new Set(this.sockets.inodes(name)))
    if (!this.timers.delete(name)) return
    const declared = this.declared(name)
    const undeclared = pids.filter((pid) => !descendsFrom(pid, declared))
    if (undeclared.length > 0) this.found(name, undeclared)
  }

  /** The broker, and who has a lease now; what they started shares their lease. */
  private declared(name: string): Set<number> {
    const pids = new Set([process.pid])
    const known = this.registry.names.get(name)
    if (known !== undefined && hasHolder(known)) for (const { holder } of leasesOf(known)) pids.add(holder.pid)
    return pids
  }

  close(): void {
    for (const timer of this.timers.values()) clearTimeout(timer)
    this.timers.clear()
  }
}

function descendsFrom(pid: number, ancestors: ReadonlySet<number>): boolean {
  let at: number | undefined = pid
  for (let steps = 0; at !== undefined && at > 1 && steps < ANCESTORS_MOST; steps++) {
    if (ancestors.has(at)) return true
    at = parentOf(at)
  }
  return false
}
