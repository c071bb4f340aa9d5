// Leases that are bound to a process: they outlive the connection that they were taken on, are watched through a pidfd, and speak by
// sd_notify(3). All leases of one connection share one notify socket, which lives as long as any of them.

import type { Lease, Registry } from '../core/registry.ts'
import type { ConnectionId, CoreEvent, EndReason, HolderInfo, ProcessKey } from '../core/types.ts'
import { parseNotify } from '../protocol/sd-notify.ts'
import { type NotifySender, NotifySocket, openSocketsOf, processOf, UserNotifyThread } from '../sys/index.ts'
import type { Processes } from './processes.ts'
import type { Sockets } from './sockets.ts'

/** What the broker lends to this part of it. */
export interface ProcessBoundHost {
  readonly registry: Registry
  readonly processes: Processes
  readonly sockets: Sockets
  readonly users: { of(uid: number): string }
  step(event: CoreEvent): void
  /** Counts a message as a request of its sender; false when that user is over its rate. */
  mayNotify(uid: number): boolean
}

interface Group {
  readonly connection: ConnectionId
  readonly uid: number
  readonly socket: NotifySocket
  readonly leases: Map<number, ProcessKey>
  lookups: { second: number; count: number }
  onEnd: () => void
}

/** Endings after which a signal may still be due, so that the process stays watched. */
const PURSUED: ReadonlySet<EndReason> = new Set(['expired', 'evicted', 'revoked'])

/** MAINPID= makes the broker read the descriptors of a process, so it is not done as often as a sender likes. */
const LOOKUPS_PER_SECOND = 8

export class ProcessBound {
  /** `junk` counts lines, the others messages. */
  readonly counters = { messages: 0, refused: 0, junk: 0 }
  private readonly groups = new Map<ConnectionId, Group>()
  private readonly byLease = new Map<number, Group>()
  private readonly host: ProcessBoundHost
  private readonly directory: string

  constructor(host: ProcessBoundHost, directory: string) {
    this.host = host
    this.directory = directory
  }

  get dropped(): number {
    return UserNotifyThread.dropped
  }

  /** What a grant says beside the sockets when its lease is process-bound. Throws SystemError. */
  granted(id: number): Record<string, unknown> {
    const lease = this.host.registry.leases.get(id) ?? this.host.registry.ended.get(id)
    if (lease?.asked.bind !== 'process') return {}
    const group = this.groupOf(lease)
    group.leases.set(id, lease.holder.process)
    this.byLease.set(id, group)
    this.host.processes.hold(lease.holder.process)
    return this.terms(id)
  }

  /** What its holder is told of a lease beside the sockets. */
  terms(id: number): Record<string, unknown> {
    const lease = this.host.registry.leases.get(id) ?? this.host.registry.ended.get(id)
    const group = this.byLease.get(id)
    if (lease === undefined || group === undefined) return {}
    const { watchdog } = lease.name.config
    return { notify: group.socket.path, ...(watchdog === undefined ? {} : { watchdog }) }
  }

  ended(id: number, reason: EndReason): void {
    const group = this.byLease.get(id)
    if (group === undefined) return
    const process = group.leases.get(id)!
    this.byLease.delete(id)
    group.leases.delete(id)
    if (PURSUED.has(reason)) this.host.processes.keepUntilExit(process)
    this.host.processes.leave(process)
    if (group.leases.size === 0) this.endGroup(group)
  }

  /** True when leases are left of a connection that is gone; `onEnd` is called when the last of them has ended. */
  outlives(connection: ConnectionId, onEnd: () => void): boolean {
    const group = this.groups.get(connection)
    if (group === undefined) return false
    group.onEnd = onEnd
    return true
  }

  close(): void {
    for (const group of [...this.groups.values()]) this.endGroup(group)
  }

  private groupOf({ asked: { connection }, holder: { uid, gid } }: Lease): Group {
    const known = this.groups.get(connection)
    if (known !== undefined) return known
    const group: Group = {
      connection,
      uid,
      socket: NotifySocket.open(this.directory, uid, gid, (text, sender) => this.received(group, text, sender)),
      leases: new Map(),
      lookups: { second: 0, count: 0 },
      onEnd: () => {},
    }
    this.groups.set(connection, group)
    return group
  }

  private endGroup(group: Group): void {
    this.groups.delete(group.connection)
    group.socket.close()
    group.onEnd()
  }

  private received(group: Group, text: string, sender: NotifySender): void {
    this.counters.messages++
    if (!this.host.mayNotify(sender.uid) || !this.speaksFor(group, sender)) {
      this.counters.refused++
      return
    }
    const { notices, junk } = parseNotify(text)
    this.counters.junk += junk
    for (const notice of notices) {
      if (notice.kind === 'MAINPID') this.move(group, notice.pid)
      else for (const lease of [...group.leases.keys()]) this.host.step({ type: 'notify', lease, message: notice })
    }
  }

  /** The holder itself, or a process of its user that is not a holder on its own account. */
  private speaksFor(group: Group, { pid, uid }: NotifySender): boolean {
    const { registry, processes } = this.host
    for (const id of group.leases.keys()) if (registry.leases.get(id)?.holder.pid === pid) return true
    if (uid !== group.uid) return false
    const process = processes.keyOf(pid)
    const leases = process === undefined ? undefined : registry.byProcess.get(process)
    return ![...(leases ?? [])].some((lease) => lease.state !== 'waiting')
  }

  /** Those leases whose sockets that process has open go with it; a process of another user gets none. */
  private move(group: Group, pid: number): void {
    const peer = this.mayLookUp(group) ? processOf(pid, group.uid) : undefined
    if (peer === undefined) {
      this.counters.refused++
      return
    }
    const open = openSocketsOf(peer)
    const { processes } = this.host
    const process = processes.join(peer)
    const holder: HolderInfo = {
      process,
      identity: peer.identity ?? '',
      pid,
      uid: peer.uid,
      gid: peer.gid,
      user: this.host.users.of(peer.uid),
      command: '',
    }
    let moved = 0
    for (const [id, former] of [...group.leases]) {
      const lease = this.host.registry.leases.get(id)
      if (lease === undefined || !this.host.sockets.inodes(lease.name.config.name).some((inode) => open.has(inode)))
        continue
      moved++
      if (former === process) continue
      processes.hold(process)
      group.leases.set(id, process)
      this.host.step({ type: 'notify', lease: id, message: { kind: 'MAINPID', holder } })
      processes.leave(former)
    }
    if (moved === 0) this.counters.refused++
    processes.leave(process)
  }

  private mayLookUp({ lookups }: Group): boolean {
    const second = Math.floor(performance.now() / 1000)
    if (lookups.second !== second) Object.assign(lookups, { second, count: 0 })
    return ++lookups.count <= LOOKUPS_PER_SECOND
  }
}
