import type { SocketType } from '../protocol/address.ts'
import { addon, constants as c } from './addon.ts'
import { getBytes } from './sockopt.ts'
import { SystemError } from './system-error.ts'

export interface SocketFigures {
  /** Connections that wait to be accepted, or for datagrams what waits to be read; null where the kernel does not tell. */
  queue: number | null
  limit: number | null
  /** Connections and datagrams that found the queue full, since the socket was made. */
  drops: number
}

const TCP_INFO_ROOM = 256
const MEMINFO_ROOM = 64

type Queue = Pick<SocketFigures, 'queue' | 'limit'>
const unknown: Queue = { queue: null, limit: null }

function words(fd: number, level: number, name: number, room: number): Uint32Array {
  const bytes = getBytes(fd, level, name, room)
  return new Uint32Array(bytes.buffer, 0, bytes.length >> 2)
}

/** On a listener these two fields are the accept queue and its limit (net/ipv4/tcp.c, tcp_get_info). */
function tcpQueue(fd: number): Queue {
  const info = words(fd, c.IPPROTO_TCP, c.TCP_INFO, TCP_INFO_ROOM)
  return { queue: info[c.TCP_INFO_UNACKED / 4] ?? null, limit: info[c.TCP_INFO_SACKED / 4] ?? null }
}

export interface UnixState {
  rqueue: number
  wqueue: number
  /** Bit 1: shut for reading, bit 2: for writing. */
  shutdown: number
}

/** What ss shows of a Unix socket; undefined where the kernel has no unix_diag. */
export function unixState(fd: number): UnixState | undefined {
  const stat = addon.fstat(fd)
  if (typeof stat === 'number') throw new SystemError(-stat, 'fstat')
  const figures = unixFigures(stat.ino)
  return figures && { rqueue: figures[0]!, wqueue: figures[1]!, shutdown: figures[2]! }
}

function unixFigures(inode: number): Uint32Array | undefined {
  const figures = new Uint32Array(5)
  return addon.unixDiag(inode, figures) < 0 ? undefined : figures
}

/** Of the file that the socket with this inode is bound to, whatever path it has by now: the last 32 bits of its inode number. */
export function fileOfUnix(inode: number): number | undefined {
  return unixFigures(inode)?.[4]
}

function unixQueue(fd: number, listens: boolean): Queue {
  const state = unixState(fd)
  return state ? { queue: state.rqueue, limit: listens ? state.wqueue : null } : unknown
}

function queueOf(fd: number, type: SocketType, memory: Uint32Array): Queue {
  switch (type) {
    case 'tcp':
      return tcpQueue(fd)
    case 'udp':
      return { queue: memory[c.SK_MEMINFO_RMEM_ALLOC] ?? null, limit: memory[c.SK_MEMINFO_RCVBUF] ?? null }
    case 'unix':
    case 'unix-seqpacket':
      return unixQueue(fd, true)
    case 'unix-dgram':
      return unixQueue(fd, false)
    case 'vsock':
      return unknown
  }
}

/** Datagram queues are in bytes of memory (UDP) or as ss shows them; listeners' in connections. */
export function socketFigures(fd: number, type: SocketType): SocketFigures {
  const memory = words(fd, c.SOL_SOCKET, c.SO_MEMINFO, MEMINFO_ROOM)
  return { ...queueOf(fd, type, memory), drops: memory[c.SK_MEMINFO_DROPS] ?? 0 }
}
