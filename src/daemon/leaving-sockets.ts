// Sockets that were replaced or removed. The broker keeps each until its queue has been empty for a while, so that a handshake
// under way still gets in, or until the deadline; then it ends for everybody who has it.

import { formatAddress } from '../protocol/address.ts'
import { type BoundSocket, endListener, ReuseGroup, socketFigures } from '../sys/index.ts'
import type { Log } from './log.ts'

export interface LeavingSocket {
  readonly name: string
  readonly socket: BoundSocket
  /** Another socket has its address: it can wait for what comes late without keeping anybody. */
  readonly replaced: boolean
  /** Milliseconds from now. */
  readonly timeout: number
}

interface Entry extends LeavingSocket {
  readonly deadline: number
  quietSince: number
}

const LOOK_MS = 50
/** A SYN or SYN-ACK that was lost is sent again after 1 s (RFC 6298). */
const TCP_QUIET_MS = 2000
/** connect() on a path, and a datagram, are there at once. */
const LOCAL_QUIET_MS = 200

export class LeavingSockets {
  private readonly entries = new Set<Entry>()
  private readonly log: Log
  private timer: NodeJS.Timeout | undefined

  constructor(log: Log) {
    this.log = log
  }

  add(leaving: LeavingSocket): void {
    const now = performance.now()
    this.entries.add({ ...leaving, deadline: now + leaving.timeout, quietSince: now })
    this.timer ??= setInterval(() => this.look(), LOOK_MS)
  }

  /** The broker ends; holders may go on. */
  closeAll(): void {
    clearInterval(this.timer)
    for (const { socket } of this.entries) socket.close()
    this.entries.clear()
  }

  private look(): void {
    const now = performance.now()
    for (const entry of this.entries) {
      if (waiting(entry.socket) > 0) entry.quietSince = now
      if (now - entry.quietSince >= quietOf(entry) || now >= entry.deadline) this.end(entry)
    }
  }

  private end(entry: Entry): void {
    this.entries.delete(entry)
    const { name, socket } = entry
    const queued = waiting(socket)
    const details = { name, socket: formatAddress(socket.address), cookie: socket.cookie }
    if (queued > 0)
      this.log.warn({ ...details, dropped: queued }, 'old socket closed: what waited in its queue is lost')
    else this.log.info({ ...details, dropped: 0 }, 'old socket closed')
    // Holders that go on listening would keep the address, and get clients that they do not expect.
    if (listens(socket)) endListener(socket.fd.fd)
    if (socket.address.type === 'tcp') ReuseGroup.of(socket.fd).leave(socket.fd)
    socket.close()
    if (this.entries.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}

function quietOf({ socket, replaced }: Entry): number {
  return replaced && socket.address.type === 'tcp' ? TCP_QUIET_MS : LOCAL_QUIET_MS
}

/** Connections that wait to be accepted; bytes of datagrams that wait to be read. */
function waiting({ fd, address }: BoundSocket): number {
  return socketFigures(fd.fd, address.type).queue ?? 0
}

function listens({ address: { type } }: BoundSocket): boolean {
  return type !== 'udp' && type !== 'unix-dgram'
}
