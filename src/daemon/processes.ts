// The processes behind the control connections, each watched once through its pidfd, whatever number of connections it has.

import type { ProcessKey } from '../core/types.ts'
import { type Peer, type ProcessFacts, ProcessWatch, processFacts, SystemError } from '../sys/index.ts'

interface Entry {
  key: ProcessKey
  identity: string
  peer: Peer
  watch: ProcessWatch | undefined
  users: number
  alive: boolean
}

export class Processes {
  private readonly entries = new Map<ProcessKey, Entry>()
  private readonly byIdentity = new Map<string, Entry>()
  private nextKey = 1
  private readonly onExit: (process: ProcessKey) => void

  constructor(onExit: (process: ProcessKey) => void) {
    this.onExit = onExit
  }

  /** Takes over the peer's pidfd. Pair with `leave`. */
  join(peer: Peer): ProcessKey {
    const identity = `${peer.pid}:${peer.startTime}`
    const known = this.byIdentity.get(identity)
    if (known?.alive) {
      known.users++
      peer.pidfd?.close()
      return known.key
    }
    // No pidfd: it ended before we looked. Pid 0 is a process of a pid namespace that we do not see; its connection has to do.
    const alive = peer.pidfd !== undefined || peer.pid === 0
    const entry: Entry = { key: this.nextKey++, identity, peer, watch: undefined, users: 1, alive }
    if (peer.pidfd !== undefined) entry.watch = new ProcessWatch(peer.pidfd, () => this.exited(entry))
    this.entries.set(entry.key, entry)
    this.byIdentity.set(identity, entry)
    return entry.key
  }

  leave(key: ProcessKey): void {
    const entry = this.entries.get(key)
    if (entry === undefined || --entry.users > 0) return
    entry.watch?.close()
    this.entries.delete(key)
    if (this.byIdentity.get(entry.identity) === entry) this.byIdentity.delete(entry.identity)
  }

  /** False once the process has ended: a connection that it left to a child speaks for nobody. */
  alive(key: ProcessKey): boolean {
    return this.entries.get(key)?.alive ?? false
  }

  /** What /proc says of the process now; empty when it has ended. */
  facts(key: ProcessKey): Partial<ProcessFacts> {
    const entry = this.entries.get(key)
    return (entry?.alive ? processFacts(entry.peer) : undefined) ?? {}
  }

  /** Signals through the pidfd, so never a recycled pid. */
  signal(key: ProcessKey, signal: NodeJS.Signals): void {
    try {
      this.entries.get(key)?.watch?.signal(signal)
    } catch (error) {
      if (!(error instanceof SystemError && error.code === 'ESRCH')) throw error
    }
  }

  private exited(entry: Entry): void {
    entry.alive = false
    entry.watch?.close()
    this.onExit(entry.key)
  }

  close(): void {
    for (const entry of this.entries.values()) entry.watch?.close()
    this.entries.clear()
    this.byIdentity.clear()
  }
}
