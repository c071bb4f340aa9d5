// How a reload applies each key of the configuration, as one table. A key without a row does not compile.

import type { SocketOptionKey, SocketOptions } from '../../protocol/socket-options.ts'
import type { BROKER_KEYS } from './broker-keys.ts'
import type { BrokerModel, NameModel } from './model.ts'
import type { NAME_KEYS } from './name-keys.ts'
import type { OPTION_KEYS } from './option-keys.ts'

/**
 * `live`: in force at once, on the sockets that there are. `new socket`: the old one is replaced. `restart`: a reload that changes it
 * is refused.
 */
export type Application = 'live' | 'new socket' | 'restart'

interface Row<Model> {
  applied: Application
  value(model: Model): unknown
}

type BrokerRow = Row<BrokerModel>
type NameRow = Row<NameModel>

const live = <Model>(value: (model: Model) => unknown): Row<Model> => ({ applied: 'live', value })
const restart = <Model>(value: (model: Model) => unknown): Row<Model> => ({ applied: 'restart', value })

export const BROKER_ROWS: Record<keyof typeof BROKER_KEYS, BrokerRow> = {
  control: restart(({ control }) => control),
  control_mode: live(({ controlMode }) => controlMode),
  admins: live(({ admins }) => admins),
  viewers: live(({ viewers }) => viewers),
  state_dir: restart(({ stateDir }) => stateDir),
  hello_timeout: live(({ helloTimeout }) => helloTimeout),
  reclaim_timeout: live(({ reclaimTimeout }) => reclaimTimeout),
  max_connections_per_uid: live(({ maxConnectionsPerUid }) => maxConnectionsPerUid),
  max_requests_per_uid: live(({ maxRequestsPerUid }) => maxRequestsPerUid),
  user: restart(({ user }) => user),
  metrics: restart(({ metrics }) => metrics?.address),
  metrics_mode: restart(({ metrics }) => metrics?.mode),
}

/** An option that setsockopt(2) sets on a socket that serves; without `unset` only a new socket is without it again. */
interface OptionRow extends NameRow {
  option: SocketOptionKey
  unset?: SocketOptions[SocketOptionKey]
}

function option(key: SocketOptionKey, applied: Application, unset?: OptionRow['unset']): OptionRow {
  const row = { option: key, applied, value: ({ options }: NameModel) => options[key] }
  return unset === undefined ? row : { ...row, unset }
}

export const OPTION_ROWS: Record<Exclude<keyof typeof OPTION_KEYS, 'backlog'>, OptionRow> = {
  bind_ipv6_only: option('bindIpv6Only', 'new socket'),
  bind_to_device: option('bindToDevice', 'live', ''),
  free_bind: option('freeBind', 'live', false),
  transparent: option('transparent', 'live', false),
  reuse_port: option('reusePort', 'restart'),
  socket_user: option('socketUser', 'live'),
  socket_group: option('socketGroup', 'live'),
  socket_mode: option('socketMode', 'live'),
  directory_mode: option('directoryMode', 'live'),
  keep_alive: option('keepAlive', 'live', false),
  keep_alive_time: option('keepAliveTime', 'live'),
  keep_alive_interval: option('keepAliveInterval', 'live'),
  keep_alive_probes: option('keepAliveProbes', 'live'),
  no_delay: option('noDelay', 'live', false),
  defer_accept: option('deferAccept', 'live', 0),
  priority: option('priority', 'live', 0),
  receive_buffer: option('receiveBuffer', 'live'),
  send_buffer: option('sendBuffer', 'live'),
  ip_tos: option('ipTos', 'live', 0),
  ip_ttl: option('ipTtl', 'live', -1),
  mark: option('mark', 'live', 0),
  tcp_congestion: option('tcpCongestion', 'live'),
  tcp_fast_open: option('tcpFastOpen', 'live', 0),
  broadcast: option('broadcast', 'live', false),
  pass_credentials: option('passCredentials', 'live', false),
  pass_security: option('passSecurity', 'live', false),
  pass_packet_info: option('passPacketInfo', 'live', false),
  timestamping: option('timestamping', 'live', 'off'),
  sockopt: option('sockopt', 'new socket'),
}

export const NAME_ROWS: Record<keyof typeof NAME_KEYS | keyof typeof OPTION_KEYS, NameRow> = {
  listen: { applied: 'new socket', value: ({ addresses }) => addresses },
  allow: live(({ core }) => core.rules),
  mode: live(({ core }) => core.mode),
  quorum: live(({ core }) => core.quorum),
  max_holders: live(({ core }) => core.maxHolders),
  max_generations: live(({ core }) => core.maxGenerations),
  max_draining: live(({ core }) => core.maxDraining),
  ready_timeout: live(({ core }) => core.readyTimeout),
  drain_timeout: live(({ core }) => core.drainTimeout),
  on_drain_timeout: live(({ core }) => core.onDrainTimeout),
  promote_timeout: live(({ core }) => core.promoteTimeout),
  watchdog: live(({ core }) => core.watchdog),
  idle_grace: live(({ idleGrace }) => idleGrace),
  guard: live(({ guard }) => guard),
  non_blocking: live(({ nonBlocking }) => nonBlocking),
  backlog: live(({ backlog }) => backlog),
  ...OPTION_ROWS,
}

/** The row of an option of SocketOptions; undefined for what is no key of the configuration's option table. */
export function rowOfOption(key: SocketOptionKey): OptionRow | undefined {
  return Object.values(OPTION_ROWS).find((row) => row.option === key)
}
