import type { SocketType } from '../protocol/address.ts'
import { constants as C } from './addon.ts'
import { getInt, socketCookie } from './sockopt.ts'

export interface SocketIdentity {
  /** Undefined for a kind that no address can name. */
  type: SocketType | undefined
  cookie: string
  /** SO_ACCEPTCONN. On a Unix listener that a holder shut it stays true. */
  listening: boolean
}

const TYPES: readonly [domain: number, type: number, name: SocketType][] = [
  [C.AF_INET, C.SOCK_STREAM, 'tcp'],
  [C.AF_INET6, C.SOCK_STREAM, 'tcp'],
  [C.AF_INET, C.SOCK_DGRAM, 'udp'],
  [C.AF_INET6, C.SOCK_DGRAM, 'udp'],
  [C.AF_UNIX, C.SOCK_STREAM, 'unix'],
  [C.AF_UNIX, C.SOCK_DGRAM, 'unix-dgram'],
  [C.AF_UNIX, C.SOCK_SEQPACKET, 'unix-seqpacket'],
  [C.AF_VSOCK, C.SOCK_STREAM, 'vsock'],
]

/** What the kernel says that a descriptor is. Throws ENOTSOCK when it is no socket. */
export function identifySocket(fd: number): SocketIdentity {
  const domain = getInt(fd, C.SOL_SOCKET, C.SO_DOMAIN)
  const kind = getInt(fd, C.SOL_SOCKET, C.SO_TYPE)
  return {
    type: TYPES.find((row) => row[0] === domain && row[1] === kind)?.[2],
    cookie: socketCookie(fd),
    listening: getInt(fd, C.SOL_SOCKET, C.SO_ACCEPTCONN) === 1,
  }
}
