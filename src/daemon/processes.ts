// The processes behind the control connections, each watched once through its pidfd, whatever number of connections it has.

import type { HolderInfo, ProcessKey } from '../core/types.ts'
import {
  ExitSet,
  isAlive,
  KillWatch,
  type OwnedFd,
  type Peer,
  type ProcessFacts,
  ProcessWatch,
  pidfdWith,
  processFacts,
  SystemError,
  type WantedFacts,
} from '../sys/index.ts'

interface Entry {
  key: ProcessKey
  identity: string
  peer: Peer
  watch: ProcessWatch | undefined
  /** Set while somebody waits for its end. */
  killWatch: KillWatch | undefined
  users: number
  alive: boolean
  /** A signal may still be due to it, so it is watched though nobody uses it. */
  wanted: boolean
}

type Remembered = Pick<HolderInfo, 'identity' | 'pid' | 'uid' | 'gid'>

/** A peer of another pid namespace has pid 0, and on kernels before 6.5 no pidfd: its connection alone tells of its end. */
const isPresent = ({ pid, pidfd }: Peer) => pidfd !== undefined || pid === 0

export class Processes {
  private readonly entries = new Map<ProcessKey, Entry>()
  /** Of the living ones, as are those by number. */
  private readonly byIdentity = new Map<string, Entry>()
  private readonly byPid = new Map<number, Entry>()
  private nextKey = 1
  private readonly closely = new Set<Entry>()
  private readonly onExit: (process: ProcessKey) => void
  private readonly exits = new ExitSet()

  constructor(onExit: (process: ProcessKey) => void) {
    this.onExit = onExit
  }

  /** Takes over the peer's pidfd, also where it throws because the process cannot be watched. Pair with `leave`. */
  join(peer: Peer): ProcessKey {
    const { identity = `connection:${this.nextKey}` } = peer
    const known = this.byIdentity.get(identity)
    if (known !== undefined) {
      if (known.watch === undefined && peer.pidfd !== undefined) this.watch(known, peer.pidfd)
      else peer.pidfd?.close()
      known.users++
      return known.key
    }
    const entry: Entry = {
      key: this.nextKey++,
      identity,
      peer,
      watch: undefined,
      killWatch: undefined,
      users: 1,
      alive: isPresent(peer),
      wanted: false,
    }
    if (peer.pidfd !== undefined) this.watch(entry, peer.pidfd)
    this.entries.set(entry.key, entry)
    this.byIdentity.set(identity, entry)
    return entry.key
  }

  private watch(entry: Entry, pidfd: OwnedFd): void {
    try {
      entry.watch = new ProcessWatch(pidfd, this.exits, () => this.exited(entry))
    } catch (error) {
      pidfd.close()
      throw error
    }
    entry.peer.pidfd = pidfd
    if (entry.peer.pid > 0) this.byPid.set(entry.peer.pid, entry)
  }

  /** The process of a holder of before a restart; `kept`: what was kept of it, ours from now on. Pair with `leave`. */
  restore({ identity, pid, uid, gid }: Remembered, kept: OwnedFd | undefined): ProcessKey {
    const known = identity !== '' && this.byIdentity.has(identity)
    const pidfd = known ? void kept?.close() : pidfdWith(identity, pid, kept)
    return this.join({ pid, uid, gid, groups: [], pidfd, identity: identity || undefined })
  }

  /** Tells the end of those that had ended before they could be watched. */
  reportDead(): void {
    for (const entry of [...this.entries.values()]) if (!entry.alive) this.exited(entry)
  }

  /** A copy of its pidfd, to be kept. */
  pidfd(key: ProcessKey): OwnedFd | undefined {
    return this.entries.get(key)?.watch?.dup()
  }

  /** One more user of a process that has some. Pair with `leave`. */
  hold(key: ProcessKey): void {
    const entry = this.entries.get(key)
    if (entry !== undefined) entry.users++
  }

  leave(key: ProcessKey): void {
    const entry = this.entries.get(key)
    if (entry === undefined) return
    entry.users--
    this.dropUnused(entry)
  }

  /** Keeps a process, so that it can be signalled, until it has ended. */
  keepUntilExit(key: ProcessKey): void {
    const entry = this.entries.get(key)
    if (entry !== undefined) entry.wanted = true
  }

  /** The living process of that number, if it is watched. */
  keyOf(pid: number): ProcessKey | undefined {
    return this.byPid.get(pid)?.key
  }

  /** False for a process of another pid namespace, whose end nobody would tell. */
  watched(key: ProcessKey): boolean {
    return this.entries.get(key)?.watch !== undefined
  }

  /**
   * False once the process has ended: a connection that it left to a child speaks for nobody. Asks the kernel, for what the event loop
   * has been told may be older than the request: its sender may have the pid of the one that has ended.
   */
  alive(key: ProcessKey): boolean {
    const entry = this.entries.get(key)
    return entry?.alive === true && (entry.peer.pidfd === undefined || isAlive(entry.peer.pidfd))
  }

  /** Asks the kernel: what was read of its pid before is its own. */
  livesStill(key: ProcessKey): boolean {
    const entry = this.entries.get(key)
    return entry?.alive === true && entry.peer.pidfd !== undefined && isAlive(entry.peer.pidfd)
  }

  /** What /proc says of the process now; empty when it has ended. Throws SystemError where it cannot be read. */
  facts(key: ProcessKey, wanted: WantedFacts): ProcessFacts {
    const entry = this.entries.get(key)
    return (entry?.alive ? processFacts(entry.peer, wanted) : undefined) ?? {}
  }

  /** Somebody waits for its end: it is told as soon as the kernel lets it be known. */
  watchClosely(key: ProcessKey): void {
    const entry = this.entries.get(key)
    if (entry?.watch === undefined || !entry.alive) return
    entry.killWatch ??= new KillWatch(entry.peer.pid, () => this.exited(entry))
    this.closely.add(entry)
  }

  /** Nobody waits any more for the end of those that hold nothing: their threads' descriptors are closed. */
  relax(holds: (key: ProcessKey) => boolean): void {
    for (const entry of this.closely) {
      if (holds(entry.key)) continue
      entry.killWatch?.close()
      entry.killWatch = undefined
      this.closely.delete(entry)
    }
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
    this.closely.delete(entry)
    this.forget(entry)
    // Whoever waits for this end waits no longer than needed: what is left of it is closed afterwards.
    this.onExit(entry.key)
    unwatch(entry)
    this.dropUnused(entry)
  }

  private dropUnused(entry: Entry): void {
    if (entry.users > 0 || (entry.wanted && entry.alive)) return
    unwatch(entry)
    this.closely.delete(entry)
    this.entries.delete(entry.key)
    this.forget(entry)
  }

  private forget(entry: Entry): void {
    if (this.byIdentity.get(entry.identity) === entry) this.byIdentity.delete(entry.identity)
    if (this.byPid.get(entry.peer.pid) === entry) this.byPid.delete(entry.peer.pid)
  }

  close(): void {
    for (const entry of this.entries.values()) unwatch(entry)
    this.entries.clear()
    this.byIdentity.clear()
    this.byPid.clear()
    this.exits.close()
  }
}

function unwatch({ watch, killWatch }: Entry): void {
  watch?.close()
  killWatch?.close()
}
