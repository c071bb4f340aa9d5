// What the guard looks after: all that a holder without rights can change for every other holder, and how it is undone. The first
// column is the kernel's name; level, number and size come from native/addon_options.c.

import type { SocketType } from '../protocol/address.ts'
import { addon } from './addon.ts'

/**
 * How a row is set back. `set`: the former bytes are written. `buffer`: half of them, as the kernel doubles what is asked for
 * (socket(7)). A number: the value that means "as the host has it", for options that read as what they amount to.
 */
export type Repair =
  | 'set'
  | 'buffer'
  | 'text'
  | 'empty'
  | 'detach'
  | 'unsign'
  | 'listen'
  | 'disconnect'
  | 'status'
  | 'replace'
  | number

export interface GuardedOption {
  /** What people are told: the option, or what happened to the socket. */
  readonly label: string
  readonly level: number
  readonly name: number
  /** Bytes. */
  readonly size: number
  readonly types: readonly SocketType[]
  readonly repair: Repair
  /** A holder may raise it: it harms nobody, and programs of this kind do so. */
  readonly mayRise: boolean
}

const tcp: readonly SocketType[] = ['tcp']
const udp: readonly SocketType[] = ['udp']
const inet: readonly SocketType[] = ['tcp', 'udp']
const local: readonly SocketType[] = ['unix', 'unix-seqpacket', 'unix-dgram']
const localStreams: readonly SocketType[] = ['unix', 'unix-seqpacket']
const vsock: readonly SocketType[] = ['vsock']
const datagrams: readonly SocketType[] = ['udp', 'unix-dgram']
const streams: readonly SocketType[] = ['tcp', 'unix', 'unix-seqpacket', 'vsock']
const every: readonly SocketType[] = [...streams, ...datagrams]

/** What is no option of the kernel's, in words. */
const WORDS: Readonly<Record<string, string>> = {
  NONBLOCK: 'O_NONBLOCK',
  HANGUP: 'shutdown',
  UDP_SHUTDOWN: 'shutdown',
  UNIX_SHUTDOWN: 'shutdown',
  TCP_BACKLOG: 'backlog',
  UNIX_BACKLOG: 'backlog',
  SO_PEERCRED: 'listen',
  CONNECTED: 'connect',
  FILTER: 'filter',
  MD5SIG: 'TCP_MD5SIG',
}

function row(name: string, types: readonly SocketType[], repair: Repair = 'set', mayRise = false): GuardedOption {
  const found = addon.socketOptions[name]
  if (!found) throw new Error(`the addon does not know ${name}`)
  const [level, number, size] = found
  return { label: WORDS[name] ?? name, level, name: number, size, types, repair, mayRise }
}

const mayRise = (name: string, types: readonly SocketType[], repair: Repair = 'set') => row(name, types, repair, true)

const IPV6_RECEIVED = [
  ...['2292PKTINFO', '2292HOPOPTS', '2292DSTOPTS', '2292RTHDR', '2292HOPLIMIT', 'RECVHOPLIMIT', 'RECVHOPOPTS'],
  ...['RECVRTHDR', 'RECVDSTOPTS', 'RECVPATHMTU', 'RECVTCLASS', 'RECVORIGDSTADDR', 'RECVFRAGSIZE', 'FLOWINFO'],
].map((name) => `IPV6_${name}`)

/** In the order in which they are set back: a listener that lost SO_REUSEPORT cannot listen beside its anchor. */
export const GUARDED_OPTIONS: readonly GuardedOption[] = [
  row('NONBLOCK', every, 'status'),
  row('SO_REUSEADDR', inet),
  row('SO_REUSEPORT', inet),
  row('TCP_BACKLOG', tcp, 'listen'),
  // Shut for writing alone, a listener does all that it did.
  row('HANGUP', [...localStreams, 'vsock'], 'replace'),
  row('UDP_SHUTDOWN', udp, 'replace'),
  row('UNIX_SHUTDOWN', ['unix-dgram'], 'replace'),
  row('UNIX_BACKLOG', localStreams, 'listen'),
  row('SO_PEERCRED', localStreams, 'listen'),
  row('CONNECTED', datagrams, 'disconnect'),
  row('FILTER', every, 'detach'),
  row('MD5SIG', tcp, 'unsign'),
  // A lock without a filter harms nobody; with one, the filter is what cannot be undone.
  mayRise('SO_LOCK_FILTER', every),

  row('SO_RCVTIMEO', every),
  row('SO_SNDTIMEO', every),
  row('SO_LINGER', every),
  row('SO_RCVLOWAT', every),
  row('SO_RCVBUF', streams, 'buffer'),
  row('SO_SNDBUF', streams, 'buffer'),
  mayRise('SO_RCVBUF', datagrams, 'buffer'),
  mayRise('SO_SNDBUF', datagrams, 'buffer'),
  // After the buffers: one that was set by hand does not grow with the connection any more.
  row('SO_BUF_LOCK', tcp),
  row('SO_BINDTOIFINDEX', inet),
  row('SO_DONTROUTE', inet),
  row('SO_KEEPALIVE', tcp),
  row('SO_OOBINLINE', inet),
  row('SO_MARK', inet),
  row('SO_BUSY_POLL', inet),
  row('SO_MAX_PACING_RATE', inet),
  row('SO_INCOMING_CPU', tcp),
  row('SO_ZEROCOPY', [...inet, 'vsock']),
  row('SO_NO_CHECK', udp),
  row('SO_TIMESTAMP_NEW', streams),
  row('SO_TIMESTAMPNS_NEW', streams),
  row('SO_TIMESTAMP', streams),
  row('SO_TIMESTAMPNS', streams),
  row('SO_TIMESTAMPING', streams),
  row('SO_TXREHASH', tcp),
  mayRise('SO_TIMESTAMP', datagrams),
  mayRise('SO_TIMESTAMPNS', datagrams),
  row('SO_BROADCAST', inet),
  row('SO_PASSCRED', localStreams),
  row('SO_PASSSEC', localStreams),
  row('SO_PASSPIDFD', localStreams),
  mayRise('SO_PASSCRED', ['unix-dgram']),
  mayRise('SO_PASSSEC', ['unix-dgram']),
  mayRise('SO_PASSPIDFD', ['unix-dgram']),
  row('SO_PASSRIGHTS', local),
  row('SO_PEEK_OFF', every),

  row('IP_TOS', inet),
  // After IP_TOS, which sets it.
  row('SO_PRIORITY', inet),
  row('IP_TTL', inet, -1),
  row('IP_MINTTL', inet),
  row('IP_OPTIONS', inet, 'empty'),
  row('IP_UNICAST_IF', inet),
  row('IP_FREEBIND', inet),
  row('IP_TRANSPARENT', inet),
  row('IP_MTU_DISCOVER', tcp),
  row('IP_RECVERR', tcp),
  row('IP_PKTINFO', tcp),
  mayRise('IP_PKTINFO', udp),
  row('IPV6_TCLASS', inet),
  row('IPV6_UNICAST_HOPS', inet, -1),
  row('IPV6_MINHOPCOUNT', inet),
  row('IPV6_UNICAST_IF', inet),
  row('IPV6_FREEBIND', inet),
  row('IPV6_TRANSPARENT', inet),
  row('IPV6_MTU_DISCOVER', tcp),
  row('IPV6_RECVERR', tcp),
  row('IPV6_RECVPKTINFO', tcp),
  mayRise('IPV6_RECVPKTINFO', udp),
  row('IPV6_RTHDR', inet, 'empty'),
  row('IPV6_FLOWINFO_SEND', inet),
  row('IPV6_AUTOFLOWLABEL', inet),
  row('IPV6_ADDR_PREFERENCES', udp),
  // Each makes the kernel copy what comes on every connection.
  ...IPV6_RECEIVED.map((name) => row(name, tcp)),

  row('TCP_NODELAY', tcp),
  row('TCP_CORK', tcp),
  row('TCP_MAXSEG', tcp, 0),
  row('TCP_KEEPIDLE', tcp),
  row('TCP_KEEPINTVL', tcp),
  row('TCP_KEEPCNT', tcp),
  row('TCP_SYNCNT', tcp),
  row('TCP_LINGER2', tcp, 0),
  row('TCP_DEFER_ACCEPT', tcp),
  row('TCP_FASTOPEN', tcp),
  row('TCP_SAVE_SYN', tcp),
  row('TCP_NOTSENT_LOWAT', tcp),
  row('TCP_TX_DELAY', tcp),
  row('TCP_USER_TIMEOUT', tcp),
  row('TCP_CONGESTION', tcp, 'text'),
  row('TCP_WINDOW_CLAMP', tcp, 'replace'),
  row('TCP_QUICKACK', tcp),
  row('TCP_THIN_LINEAR_TIMEOUTS', tcp),
  row('TCP_FASTOPEN_NO_COOKIE', tcp),
  row('TCP_INQ', tcp),
  row('TCP_RTO_MAX_MS', tcp),
  row('TCP_RTO_MIN_US', tcp),
  row('TCP_DELACK_MAX_US', tcp),

  row('UDP_CORK', udp),
  row('UDP_ENCAP', udp),
  row('UDP_GRO', udp),
  row('UDP_SEGMENT', udp),
  row('UDP_NO_CHECK6_TX', udp),
  row('UDP_NO_CHECK6_RX', udp),

  row('SO_VM_SOCKETS_BUFFER_MAX_SIZE', vsock),
  row('SO_VM_SOCKETS_BUFFER_MIN_SIZE', vsock),
  row('SO_VM_SOCKETS_BUFFER_SIZE', vsock),
]
