// Leases that are bound to a process: they outlive the connection that they were taken on, are watched through a pidfd, and speak by
// sd_notify(3). All leases of one connection share one notify socket, which lives as long as any of them.

import { basename } from 'node:path'
import type { Lease, Registry } from '../core/registry.ts'
import type { ConnectionId, CoreEvent, EndReason, HolderInfo, ProcessKey } from '../core/types.ts'
import { parseNotify } from '../protocol/sd-notify.ts'
import {
  type NotifySender,
  NotifySocket,
  type OwnedFd,
  openSocketsOf,
  processOf,
  SystemError,
  UserNotifyThread,
} from '../sys/index.ts'
import type { Config } from './config/model.ts'
import type { KeptDescriptors } from './kept-descriptors.ts'
import type { Processes } from './processes.ts'
import type { Sockets } from './sockets.ts'
import type { StateLog } from './state/state-log.ts'

/** What the broker lends to this part of it. */
export interface ProcessBoundHost {
  readonly registry: Registry
  readonly processes: Processes
  readonly sockets: Sockets
  readonly users: { of(uid: number): string }
  step(event: CoreEvent): void
  /** Counts a message as a request of its sender; false when that user is over its rate. */
  mayNotify(uid: number): boolean
  readonly kept: KeptDescriptors
  /** What survives this broker. */
  readonly state: StateLog
}

/** Beside the control socket, whose directory nobody else can write. */
export function notifyDirectory({ broker }: Config): string {
  return `${broker.control}.notify`
}

/** What a restart must know of a process-bound lease beside what the core knows: `notify/LEASE`. */
export interface NotifyRecord {
  path: string
  /** The one that the leases of the same notify socket were taken on. */
  connection: ConnectionId
  uid: number
}

interface Group {
  readonly connection: ConnectionId
  readonly uid: number
  readonly socket: NotifySocket
  readonly leases: Map<number, ProcessKey>
  lookups: { second: number; count: number }
  onEnd: () => void
}

type Received = (text: string, sender: NotifySender) => void

const NOTIFY_KEY = '.notify/'

/** The names in the notify directory whose sockets are kept. */
export function keptNotifyNames(kept: KeptDescriptors): Set<string> {
  const keys = kept.keys().filter((key) => key.startsWith(NOTIFY_KEY))
  return new Set(keys.map((key) => key.slice(NOTIFY_KEY.length)))
}

const notifyKey = (path: string) => `${NOTIFY_KEY}${basename(path)}`

/** Under this key the pidfd of a lease's process is kept. */
export const processKey = (lease: number) => `.pid/${lease}`

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
  granted(id: number): Record<string, unknown> | undefined {
    const lease = this.host.registry.leases.get(id) ?? this.host.registry.ended.get(id)
    if (lease?.asked.bind !== 'process') return undefined
    const group = this.groupOf(lease)
    this.add(group, lease)
    this.keepProcess(id, lease.holder.process)
    const { connection, uid } = group
    const value: NotifyRecord = { path: group.socket.path, connection, uid }
    this.host.state.append([{ key: `notify/${id}`, value }])
    return this.terms(id)
  }

  /** A lease of before a restart: its notify socket has the same path again, and the messages that came meanwhile. */
  restore(lease: Lease, was: NotifyRecord | undefined): void {
    const known = was && this.groups.get(was.connection)
    const [socket, ...others] = was === undefined || known ? [] : this.host.kept.claim(notifyKey(was.path))
    for (const other of others) other.close()
    if (known) this.add(known, lease)
    else if (was !== undefined && socket !== undefined) this.add(this.adoptGroup(was, socket), lease)
    else this.granted(lease.id)
  }

  private add(group: Group, { id, holder }: Lease): void {
    group.leases.set(id, holder.process)
    this.byLease.set(id, group)
    this.host.processes.hold(holder.process)
  }

  private keepProcess(id: number, process: ProcessKey): void {
    using pidfd = this.host.processes.pidfd(process)
    if (pidfd !== undefined) this.host.kept.store.put(processKey(id), [pidfd.fd])
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
    this.host.kept.store.delete(processKey(id))
    this.host.state.append([{ key: `notify/${id}`, value: null }])
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

  /** The connections that process-bound leases were taken on, and their users. */
  connections(): Iterable<{ connection: ConnectionId; uid: number }> {
    return this.groups.values()
  }

  close(): void {
    for (const group of [...this.groups.values()]) this.endGroup(group)
  }

  private groupOf({ asked: { connection }, holder: { uid, gid } }: Lease): Group {
    const known = this.groups.get(connection)
    if (known !== undefined) return known
    const group: Group = this.makeGroup(connection, uid, (received) =>
      NotifySocket.open(this.directory, uid, gid, received),
    )
    this.host.kept.store.put(notifyKey(group.socket.path), [group.socket.fd])
    return group
  }

  private adoptGroup({ path, connection, uid }: NotifyRecord, socket: OwnedFd): Group {
    return this.makeGroup(connection, uid, (received) => NotifySocket.adopt(path, uid, socket, received))
  }

  private makeGroup(connection: ConnectionId, uid: number, open: (received: Received) => NotifySocket): Group {
    const group: Group = {
      connection,
      uid,
      socket: open((text, sender) => this.received(group, text, sender)),
      leases: new Map(),
      lookups: { second: 0, count: 0 },
      onEnd: () => {},
    }
    this.groups.set(connection, group)
    return group
  }

  private endGroup(group: Group): void {
    this.groups.delete(group.connection)
    this.host.kept.store.delete(notifyKey(group.socket.path))
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
      if (notice.kind === 'MAINPID') this.moveIfKnown(group, notice.pid)
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

  /** A process that cannot be looked up or watched, for want of descriptors or memory, is as good as none. */
  private moveIfKnown(group: Group, pid: number): void {
    try {
      this.move(group, pid)
    } catch (error) {
      if (!(error instanceof SystemError)) throw error
      this.counters.refused++
    }
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
    try {
      if (this.moveTo(holder, group, open) === 0) this.counters.refused++
    } finally {
      processes.leave(process)
    }
  }

  /** How many of the group's leases go with the new holder. */
  private moveTo(holder: HolderInfo, group: Group, open: ReadonlySet<number>): number {
    const { processes } = this.host
    const { process } = holder
    let moved = 0
    for (const [id, former] of [...group.leases]) {
      const lease = this.host.registry.leases.get(id)
      if (lease === undefined || !this.host.sockets.inodes(lease.name.config.name).some((inode) => open.has(inode)))
        continue
      moved++
      if (former === process) continue
      this.keepProcess(id, process)
      processes.hold(process)
      group.leases.set(id, process)
      this.host.step({ type: 'notify', lease: id, message: { kind: 'MAINPID', holder } })
      processes.leave(former)
    }
    return moved
  }

  private mayLookUp({ lookups }: Group): boolean {
    const second = Math.floor(performance.now() / 1000)
    if (lookups.second !== second) Object.assign(lookups, { second, count: 0 })
    return ++lookups.count <= LOOKUPS_PER_SECOND
  }
}
