import { Broker } from './broker.ts'
import type { ConnectOptions } from './options.ts'

export type { ErrorCode } from '../protocol/errors.ts'
export { BrokerError } from '../protocol/errors.ts'
export type {
  HolderView,
  LeaseView,
  NameView,
  ReloadChanges,
  SocketDescription,
  SocketFigures,
  UndeclaredView,
} from '../protocol/messages.ts'
export type { Stats, Upgraded } from './broker.ts'
export type { BrokerEvent } from './events.ts'
export type { Lease, LeaseState, ReadyResult } from './lease.ts'
export type { DrainReason, EndReason, LeaseDrain, LeaseEnded, LeaseEvents, LeaseReplaced } from './lease-events.ts'
export type { Server } from './listening.ts'
export type {
  Abortable,
  AcquireOptions,
  ConnectOptions,
  DrainOptions,
  DrainTarget,
  HistoryOptions,
  HoldersOptions,
  PauseOptions,
  ReloadOptions,
} from './options.ts'
export type { ServeEnd, ServeOptions, ServeResult } from './serving.ts'
export type { Broker }

/** A client of the broker that `options` name. Nothing is connected until it is first used. */
export function connect(options: ConnectOptions = {}): Broker {
  return new Broker(options)
}

/** The default broker of this machine (FD_BROKER_SOCKET, else the system's, else the user's), connected on first use. */
export const broker: Broker = connect()
