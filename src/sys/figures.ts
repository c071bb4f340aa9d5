import type { SocketType } from '../protocol/address.ts'
import { addon, constants as c } from './addon.ts'
import { check, SystemError } from './system-error.ts'

export interface SocketFigures {
  /** Connections that wait to be accepted, or for datagrams what waits to be read; null where the kernel does not tell. */
  queue: number | null
  limit: number | null
  /** Connections and datagrams that found the queue full, since the socket was made. */
  drops: number
}

type Queue = Pick<SocketFigures, 'queue' | 'limit'>
const unknown: Queue = { queue: null, limit: null }

/** What the kernel told last, filled again and again: a view of a thousand names leaves no rubbish behind. */
class Words {
  private readonly bytes: Uint8Array
  private readonly words: Uint32Array
  private count = 0

  constructor(room: number) {
    this.bytes = new Uint8Array(room)
    this.words = new Uint32Array(this.bytes.buffer)
  }

  read(fd: number, level: number, name: number): this {
    this.count = check(addon.getsockopt(fd, level, name, this.bytes), 'getsockopt') >> 2
    return this
  }

  /** Undefined where an older kernel ends before it. */
  at(index: number): number | undefined {
    return index < this.count ? this.words[index] : undefined
  }
}

const tcpInfo = new Words(256)
const memory = new Words(64)

/** On a listener these two fields are the accept queue and its limit (net/ipv4/tcp.c, tcp_get_info). */
function tcpQueue(fd: number): Queue {
  tcpInfo.read(fd, c.IPPROTO_TCP, c.TCP_INFO)
  return { queue: tcpInfo.at(c.TCP_INFO_UNACKED / 4) ?? null, limit: tcpInfo.at(c.TCP_INFO_SACKED / 4) ?? null }
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

function queueOf(fd: number, type: SocketType): Queue {
  switch (type) {
    case 'tcp':
      return tcpQueue(fd)
    case 'udp':
      return { queue: memory.at(c.SK_MEMINFO_RMEM_ALLOC) ?? null, limit: memory.at(c.SK_MEMINFO_RCVBUF) ?? null }
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
  memory.read(fd, c.SOL_SOCKET, c.SO_MEMINFO)
  const { queue, limit } = queueOf(fd, type)
  return { queue, limit, drops: memory.at(c.SK_MEMINFO_DROPS) ?? 0 }
}
