// The checked configuration, as the rest of the daemon sees it. Times are milliseconds, modes and ids are numbers.

import type { NameConfig, Rule } from '../../core/types.ts'
import type { Address, MetricsAddress } from '../../protocol/address.ts'
import type { SocketOptions } from '../../protocol/socket-options.ts'
import type { Login } from '../../sys/index.ts'
import type { Tokens } from './build-tokens.ts'

export interface Config {
  /** The path as it was given. */
  file: string
  text: string
  broker: BrokerModel
  names: Map<string, NameModel>
  tokens: Tokens
}

export interface BrokerModel {
  metrics?: MetricsModel
  /** Whom a broker of root becomes. */
  user?: Login
  control: string
  controlMode: number
  admins: Rule[]
  viewers: Rule[]
  stateDir: string
  helloTimeout: number
  reclaimTimeout: number
  maxConnectionsPerUid: number
  /** A second. */
  maxRequestsPerUid: number
}

/** Where Prometheus reads. */
export interface MetricsModel {
  address: MetricsAddress
  /** Of a Unix socket's path. */
  mode: number
}

export interface NameModel {
  core: NameConfig
  /** In the order of the file, which is the order in which workers receive the sockets. */
  addresses: Address[]
  backlog: number
  options: SocketOptions
  idleGrace: number
  guard: boolean
  /** Absent: as systemd gives it. */
  nonBlocking?: boolean
}
