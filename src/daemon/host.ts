// What a verb needs of the broker.

import type { Registry } from '../core/registry.ts'
import type { CoreEvent, HolderInfo } from '../core/types.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { HoldersAnswer, Requests } from '../protocol/messages.ts'
import type { Guard } from './guard.ts'
import type { History, Occurrence } from './history.ts'
import type { NameCounters } from './name-counters.ts'
import type { Operator } from './operator.ts'
import type { ProcessBound } from './process-bound.ts'
import type { Processes } from './processes.ts'
import type { Rights } from './rights.ts'
import type { Session } from './session.ts'
import type { Sockets } from './sockets.ts'
import type { Upgrade } from './upgrade.ts'
import type { UserNames } from './user-names.ts'

export interface Counters {
  /** Brokers that died, in the time of this keeper. */
  restarts: number
  requests: number
  grants: number
  refusals: Partial<Record<ErrorCode, number>>
  readonly names: NameCounters
}

/** What a peer says of itself with hello. */
export interface Introduction {
  client?: string
  token?: string
}

export interface HolderViews {
  /** Undefined when nobody waits for it any more. */
  views(asked: Requests['holders'], wanted: () => boolean): Promise<HoldersAnswer | undefined>
}

/** An event that goes before whatever follows from it, and has the code when that is a refusal. */
export interface Announcements {
  announce(occurrence: Occurrence): void
  settle(code?: ErrorCode): void
}

export interface Host {
  readonly registry: Registry
  readonly sockets: Sockets
  readonly processes: Processes
  readonly processBound: ProcessBound
  readonly users: UserNames
  readonly rights: Rights
  readonly guard: Guard
  readonly holders: HolderViews
  readonly operator: Operator
  readonly sessions: ReadonlyMap<number, Session>
  /** Connections that asked for events. */
  readonly subscribers: Set<Session>
  readonly counters: Counters
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Puts an event to the core and performs what it decides. */
  step(event: CoreEvent): void
  greeted(session: Session, introduction: Introduction): void
  readonly history: History
  readonly journal: Announcements
  /** Something that the log, the history and the subscribers are told of. */
  occurred(occurrence: Occurrence): void
  /** Work that answers the request later; when it fails, that is the answer. */
  later(session: Session, id: number, work: Promise<void>): void
  /** Undefined without a keeper, which starts the new broker. */
  readonly upgrade: Upgrade | undefined
  holderOf(session: Session): HolderInfo
  /** Answers with a name's sockets and their descriptors. */
  sendSockets(session: Session, id: number, body: Record<string, unknown>, name: string): void
}
