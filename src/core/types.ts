// What goes into the core and what comes out of it. All times are milliseconds; points in time are since the epoch.

import type { ErrorCode } from '../protocol/errors.ts'

/** The shell's number of a control connection; never used twice. */
export type ConnectionId = number
/** The shell's number of a watched process (a pidfd); never used twice. */
export type ProcessKey = number

/** What the kernel says about a peer; `exe`, `cgroup` and `unit` only where a rule needs them. */
export interface Peer {
  uid: number
  gid: number
  groups: readonly number[]
  pid: number
  exe?: string
  cgroup?: string
  unit?: string
  /** Names of the tokens whose secret came with hello. */
  tokens?: readonly string[]
}

/** One thing that must hold of a peer. */
export type Condition =
  | { kind: 'user'; uid: number }
  | { kind: 'group'; gid: number }
  | { kind: 'exe'; path: string }
  | { kind: 'unit'; unit: string }
  | { kind: 'cgroup'; prefix: string }
  | { kind: 'token'; name: string }
  | { kind: 'any' }

/** Conditions that must all hold. */
export type Rule = readonly Condition[]

export interface HolderInfo {
  process: ProcessKey
  /** The same for the same process after a restart of the broker, and for no other of this boot. Empty: nobody can tell. */
  identity: string
  pid: number
  uid: number
  gid: number
  user: string
  command: string
  unit?: string
}

export interface NameConfig {
  name: string
  mode: 'shared' | 'exclusive'
  rules: readonly Rule[]
  quorum: number
  maxGenerations: number
  maxHolders: number
  maxDraining: number
  readyTimeout: number
  drainTimeout: number
  onDrainTimeout: 'keep' | 'term' | 'kill'
  promoteTimeout: number
  watchdog?: number
}

export type LeaseState = 'waiting' | 'granted' | 'ready' | 'draining' | 'ended'
export type EndReason = 'released' | 'died' | 'expired' | 'evicted' | 'revoked'
export type DrainReason = 'takeover' | 'admin' | 'pause' | 'removed' | 'rollback' | 'shutdown' | 'self'
export type DrainSignal = 'TERM' | 'INT' | 'QUIT' | 'HUP' | 'USR1' | 'USR2' | 'WINCH'
export type Signal = `SIG${DrainSignal}` | 'SIGABRT' | 'SIGKILL'

/** A request that is to be answered exactly once, unless its connection is gone. */
export interface Ask {
  connection: ConnectionId
  request: number
}

/** An admin's request: answered by the core when it says who asks, else performed in silence. */
export type MaybeAsk = Partial<Ask>

export interface AcquireEvent extends Ask {
  type: 'acquire'
  name: string
  holder: HolderInfo
  generation?: string
  takeover: boolean
  /** 0 = do not wait, -1 = for ever. */
  wait: number
  ready: boolean
  bind: 'connection' | 'process'
  label?: string
  drainSignal?: DrainSignal
  readyAfter?: number
  /** Leases of before a restart that this connection's hello listed: it will reclaim those, and wants no others. */
  reclaims?: readonly number[]
}

/** `process` is the process of the connection: a process-bound lease may be named on any connection of its process. */
export interface LeaseRequest extends Ask {
  lease: number
  process?: ProcessKey
}

export type NotifyMessage =
  | { kind: 'READY' }
  | { kind: 'STOPPING' }
  | { kind: 'STATUS'; text: string }
  | { kind: 'WATCHDOG' }
  | { kind: 'MAINPID'; holder: HolderInfo }

export type CoreEvent =
  | AcquireEvent
  | ({ type: 'ready' } & LeaseRequest)
  | ({ type: 'release' } & LeaseRequest)
  /** After a restart of the broker: the process of that identity is back for its lease, on this connection. */
  | ({ type: 'reclaim'; lease: number; name: string; identity: string } & Ask)
  /** The descriptors of a grant could not be sent: its lease is over; the shell has answered. */
  | { type: 'undelivered'; lease: number }
  | { type: 'hangup'; connection: ConnectionId }
  /** The peer was cut off because it does not read: its leases are over. */
  | { type: 'evict'; connection: ConnectionId }
  | { type: 'exit'; process: ProcessKey }
  | { type: 'timer'; key: string }
  /** From the notify socket of a process-bound lease. */
  | { type: 'notify'; lease: number; message: NotifyMessage }
  | ({ type: 'drain'; target: { name: string } | { lease: number }; timeout?: number; reason?: DrainReason } & MaybeAsk)
  | ({ type: 'pause'; name: string; drain: boolean } & MaybeAsk)
  | ({ type: 'resume'; name: string } & MaybeAsk)
  /** The sockets of a name cannot be had, for that reason: nobody is granted it before `regained`. */
  | { type: 'lost'; name: string; why: string }
  | { type: 'regained'; name: string }
  /** The whole configuration, at start and at every reload. */
  | { type: 'configure'; names: readonly NameConfig[] }
  | { type: 'shutdown' }

export type PublishedEvent = {
  event:
    | 'granted'
    | 'ready'
    | 'promoted'
    | 'rollback'
    | 'drain'
    | 'denied'
    | 'paused'
    | 'resumed'
    | 'undeclared'
    | EndReason
  at: number
  name: string
  lease?: number
} & Record<string, unknown>

export type LeaseNotice =
  | { event: 'drain'; lease: number; reason: DrainReason; deadline: number }
  | { event: 'ended'; lease: number; reason: EndReason }

/** What the holder of a lease is told of it, beside the sockets. */
export interface LeaseTerms extends Ask {
  lease: number
  name: string
  generation: string
  state: 'granted' | 'ready' | 'draining'
  readyWithin: number
  mode: NameConfig['mode']
}

export type Effect =
  | ({ type: 'grant' } & LeaseTerms)
  /** As a grant, but the holder has the descriptors already. */
  | ({ type: 'reclaimed' } & LeaseTerms)
  | { type: 'reply'; connection: ConnectionId; request: number; body: Record<string, unknown> }
  /** `masked`: what a peer that may not list is told instead, as DENIED, so that it learns nothing of what exists. */
  | {
      type: 'refuse'
      connection: ConnectionId
      request: number
      code: ErrorCode
      message: string
      masked?: string
      details?: Record<string, unknown>
    }
  | { type: 'tell'; connection: ConnectionId; event: LeaseNotice }
  | { type: 'publish'; event: PublishedEvent }
  /** A key that runs already is set anew. */
  | { type: 'start-timer'; key: string; at: number }
  | { type: 'stop-timer'; key: string }
  | { type: 'signal'; process: ProcessKey; lease: number; signal: Signal }
  /** Somebody waits for this process's end, so the earlier it is known the better. */
  | { type: 'watch-closely'; process: ProcessKey }
  /** A removed name has no holder any more: its sockets can be closed. */
  | { type: 'retire'; name: string }

export interface Context {
  now: number
  /**
   * Whether policy lets this connection's peer have a lease of the name, asked at the request and at a waiter's grant. Undefined where that
   * cannot be said now, for want of descriptors or memory.
   */
  allows(name: NameConfig, connection: ConnectionId): boolean | undefined
  /** Why `allows` could not say, the last time. */
  shortage?(): string
  /** What `allows` found missing, as a rule's text, one for each rule of the name: for viewers and the log only. */
  missing?(name: NameConfig, connection: ConnectionId): string[]
}
