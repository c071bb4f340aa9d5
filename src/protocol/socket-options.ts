import type { SocketType } from './address.ts'

export interface RawSocketOption {
  level: number
  name: number
  value: number | Uint8Array
}

/** Named as systemd.socket(5) names them. Times are in seconds, sizes in bytes, users and groups are ids. */
export interface SocketOptions {
  bindIpv6Only?: 'default' | 'both' | 'ipv6-only'
  bindToDevice?: string
  freeBind?: boolean
  transparent?: boolean
  reusePort?: boolean
  socketUser?: number
  socketGroup?: number
  socketMode?: number
  directoryMode?: number
  keepAlive?: boolean
  keepAliveTime?: number
  keepAliveInterval?: number
  keepAliveProbes?: number
  noDelay?: boolean
  deferAccept?: number
  priority?: number
  receiveBuffer?: number
  sendBuffer?: number
  ipTos?: number
  ipTtl?: number
  mark?: number
  tcpCongestion?: string
  /** A number is the length of the queue of connections that sent data with their SYN. */
  tcpFastOpen?: boolean | number
  broadcast?: boolean
  passCredentials?: boolean
  passSecurity?: boolean
  passPacketInfo?: boolean
  timestamping?: 'off' | 'us' | 'ns'
  /** O_NONBLOCK on the shared open file description. */
  nonBlocking?: boolean
  sockopt?: readonly RawSocketOption[]
}

export type SocketOptionKey = keyof SocketOptions

const inet: readonly SocketType[] = ['tcp', 'udp']
const unix: readonly SocketType[] = ['unix', 'unix-dgram', 'unix-seqpacket']
const every: readonly SocketType[] = [...inet, ...unix, 'vsock']

/** Which types take which option; `backlog` belongs to the types that listen. */
export const socketOptionTypes: Readonly<Record<SocketOptionKey | 'backlog', readonly SocketType[]>> = {
  backlog: ['tcp', 'unix', 'unix-seqpacket', 'vsock'],
  bindIpv6Only: inet,
  bindToDevice: inet,
  freeBind: inet,
  transparent: inet,
  reusePort: inet,
  socketUser: unix,
  socketGroup: unix,
  socketMode: unix,
  directoryMode: unix,
  keepAlive: ['tcp'],
  keepAliveTime: ['tcp'],
  keepAliveInterval: ['tcp'],
  keepAliveProbes: ['tcp'],
  noDelay: ['tcp'],
  deferAccept: ['tcp'],
  priority: inet,
  receiveBuffer: every,
  sendBuffer: every,
  ipTos: inet,
  ipTtl: inet,
  mark: inet,
  tcpCongestion: ['tcp'],
  tcpFastOpen: ['tcp'],
  broadcast: ['udp'],
  passCredentials: unix,
  passSecurity: unix,
  passPacketInfo: ['udp'],
  timestamping: [...inet, 'unix-dgram', 'unix-seqpacket'],
  nonBlocking: every,
  sockopt: every,
}

export function socketOptionApplies(key: SocketOptionKey | 'backlog', type: SocketType): boolean {
  return socketOptionTypes[key].includes(type)
}
