// Every metric, as one table. docs/metrics.md is tested against it.

import type { NameView, SocketFigures } from '../../protocol/messages.ts'
import { VERSION } from '../../protocol/version.ts'
import type { Counters } from '../host.ts'
import type { NameCounter } from '../name-counters.ts'
import type { BrokerFigures } from './broker-figures.ts'
import type { MetricType, Sample } from './exposition.ts'

interface Row {
  type: MetricType
  help: string
}

export interface OfName extends Row {
  samples(view: NameView, counter: NameCounter): Sample[]
}

export interface Whole {
  counters: Counters
  figures: BrokerFigures
  connections: number
  names: number
  /** Of the event loop since the last time that was asked, in seconds. */
  lag: { p99: number; max: number }
}

export interface OfBroker extends Row {
  samples(whole: Whole): Sample[]
}

const one = (value: number): Sample[] => [{ value }]

const ofName = (type: MetricType, help: string, samples: OfName['samples']): OfName => ({ type, help, samples })
const ofBroker = (type: MetricType, help: string, samples: OfBroker['samples']): OfBroker => ({ type, help, samples })
const counted = (help: string, count: (counter: NameCounter) => number): OfName =>
  ofName('counter', help, ({ name }, counter) => [{ labels: { name }, value: count(counter) }])

const queuesInBytes = ({ type }: SocketFigures) => type === 'udp' || type === 'unix-dgram'

/** One sample a socket that has such a figure. */
function bySocket(help: string, type: MetricType, figure: (socket: SocketFigures) => number | null): OfName {
  return ofName(type, help, ({ name, sockets }) =>
    sockets.flatMap((socket) => {
      const value = figure(socket)
      return value === null ? [] : [{ labels: { name, address: socket.address }, value }]
    }),
  )
}

const accepting = (figure: 'queue' | 'limit') => (socket: SocketFigures) =>
  queuesInBytes(socket) ? null : socket[figure]
const receiving = (figure: 'queue' | 'limit') => (socket: SocketFigures) =>
  queuesInBytes(socket) ? socket[figure] : null

export const NAME_METRICS: Readonly<Record<string, OfName>> = {
  fd_broker_name_info: ofName(
    'gauge',
    'Always 1; the labels tell mode, current generation and state of the name.',
    (view) => {
      const { name, mode, generation, state } = view
      return [{ labels: { name, mode, generation, state }, value: 1 }]
    },
  ),
  fd_broker_accept_queue_connections: bySocket(
    'Connections that wait to be accepted, as ss shows them.',
    'gauge',
    accepting('queue'),
  ),
  fd_broker_accept_queue_limit_connections: bySocket(
    'Connections that the accept queue takes.',
    'gauge',
    accepting('limit'),
  ),
  fd_broker_receive_queue_bytes: bySocket('Bytes that wait in a datagram socket.', 'gauge', receiving('queue')),
  fd_broker_receive_queue_limit_bytes: bySocket('Bytes that a datagram socket takes.', 'gauge', receiving('limit')),
  fd_broker_socket_drops_total: bySocket(
    'Connections and datagrams that found the queue full, since the socket was made.',
    'counter',
    ({ drops }) => drops,
  ),
  fd_broker_holders: ofName('gauge', 'Leases by state.', ({ name, holders }) =>
    Object.entries(holders).map(([state, value]) => ({ labels: { name, state }, value })),
  ),
  fd_broker_waiting: ofName('gauge', 'Requests that wait for room.', ({ name, waiting }) => [
    { labels: { name }, value: waiting },
  ]),
  fd_broker_grants_total: counted('Leases granted.', ({ grants }) => grants),
  fd_broker_ended_total: ofName('counter', 'Leases ended, by how.', ({ name }, { ended }) =>
    [...ended].map(([reason, value]) => ({ labels: { name, reason }, value })),
  ),
  fd_broker_name_refusals_total: ofName(
    'counter',
    'Requests about the name refused, by code.',
    ({ name }, { refusals }) => [...refusals].map(([code, value]) => ({ labels: { name, code }, value })),
  ),
  fd_broker_takeovers_total: counted('Generations that became the current one.', ({ takeovers }) => takeovers),
  fd_broker_rollbacks_total: counted(
    'Generations that ended without ever being current.',
    ({ rollbacks }) => rollbacks,
  ),
  fd_broker_repairs_total: counted(
    'Times that a holder had stopped or bent the socket and it was repaired.',
    ({ repairs }) => repairs,
  ),
  fd_broker_ready_duration_seconds: ofName('histogram', 'From a grant to ready.', ({ name }, { ready }) =>
    ready.samples({ name }),
  ),
  fd_broker_drain_duration_seconds: ofName(
    'histogram',
    'From drain to the end of the lease.',
    ({ name }, { drained }) => drained.samples({ name }),
  ),
}

export const BROKER_METRICS: Readonly<Record<string, OfBroker>> = {
  fd_broker_build_info: ofBroker('gauge', 'Always 1; the labels tell the versions.', () => [
    { labels: { version: VERSION, node: process.versions.node, arch: process.arch }, value: 1 },
  ]),
  fd_broker_restarts_total: ofBroker(
    'counter',
    'Brokers that died and were started again by their keeper, since that was started.',
    ({ counters }) => one(counters.restarts),
  ),
  fd_broker_names: ofBroker('gauge', 'Names configured.', ({ names }) => one(names)),
  fd_broker_connections: ofBroker('gauge', 'Control connections open.', ({ connections }) => one(connections)),
  fd_broker_requests_total: ofBroker('counter', 'Requests received.', ({ counters }) => one(counters.requests)),
  fd_broker_refusals_total: ofBroker('counter', 'Requests refused, by code.', ({ counters }) =>
    Object.entries(counters.refusals).map(([code, value]) => ({ labels: { code }, value })),
  ),
  fd_broker_event_loop_lag_p99_seconds: ofBroker(
    'gauge',
    'Delay of the event loop since the last scrape: 99 % were below.',
    ({ lag }) => one(lag.p99),
  ),
  fd_broker_event_loop_lag_max_seconds: ofBroker(
    'gauge',
    'The longest delay of the event loop since the last scrape.',
    ({ lag }) => one(lag.max),
  ),
  process_resident_memory_bytes: ofBroker('gauge', 'Resident memory.', ({ figures }) => one(figures.residentBytes)),
  process_open_fds: ofBroker('gauge', 'Open file descriptors.', ({ figures }) => one(figures.openFds)),
  process_max_fds: ofBroker('gauge', 'File descriptors that may be open (RLIMIT_NOFILE).', ({ figures }) =>
    one(figures.maxFds),
  ),
  process_cpu_seconds_total: ofBroker('counter', 'CPU time used.', ({ figures }) => one(figures.cpuSeconds)),
  process_start_time_seconds: ofBroker(
    'gauge',
    'When the broker was started, in seconds since the epoch; it changes at each restart.',
    ({ figures }) => one(figures.startSeconds),
  ),
}
