// Sockets that were replaced or removed. The broker keeps each until its queue has been empty for a while, so that a handshake
// under way still gets in, and until no holder has it open; or until the deadline. Then it ends for everybody.

import { formatAddress } from '../protocol/address.ts'
import { type BoundSocket, endListener, inodeOf, ReuseGroup, scanProcesses, socketFigures } from '../sys/index.ts'
import type { Log } from './log.ts'
import { ownProcesses } from './own-processes.ts'

export interface LeavingSocket {
  readonly name: string
  readonly socket: BoundSocket
  /** Another socket has its address: it can wait for what comes late without keeping anybody. */
  readonly replaced: boolean
  /** Milliseconds from now. */
  readonly timeout: number
  /** Who has it by a lease. */
  readonly holders: readonly { pid: number; uid: number }[]
}

interface Entry extends LeavingSocket {
  readonly deadline: number
  quietSince: number
  /** When holders are looked for next. */
  lookAt: number
}

const LOOK_MS = 50
const HOLDERS_LOOK_MS = 500
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
    this.entries.add({ ...leaving, deadline: now + leaving.timeout, quietSince: now, lookAt: 0 })
    this.timer ??= setInterval(() => this.look(), LOOK_MS)
  }

  /** Nobody serves that address any more: one that waits for latecomers would get all of them. */
  endAt(address: string): void {
    for (const entry of this.entries) if (formatAddress(entry.socket.address) === address) this.end(entry)
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
      if (waiting(entry.socket) !== 0) entry.quietSince = now
      if (now >= entry.deadline) this.end(entry)
      else if (now - entry.quietSince >= quietOf(entry) && now >= entry.lookAt) this.endUnlessHeld(entry, now)
    }
  }

  /** A holder that accepts from it still would take its end for an error; one that has swapped has closed it. */
  private async endUnlessHeld(entry: Entry, now: number): Promise<void> {
    entry.lookAt = now + HOLDERS_LOOK_MS
    const held = await isHeld(entry).catch(() => true)
    if (!held && this.entries.has(entry) && waiting(entry.socket) === 0) this.end(entry)
  }

  private end(entry: Entry): void {
    this.entries.delete(entry)
    const { name, socket } = entry
    const dropped = waiting(socket) ?? 0
    const details = { name, socket: formatAddress(socket.address), cookie: socket.cookie, dropped }
    if (dropped > 0) this.log.warn(details, 'old socket closed: what waited in its queue is lost')
    else this.log.info(details, 'old socket closed')
    // A copy that is left somewhere would keep the address, and get clients that nobody answers.
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

/** Connections that wait to be accepted; bytes of datagrams that wait to be read. Undefined where that cannot be asked. */
export function waiting({ fd, address }: BoundSocket): number | undefined {
  try {
    return socketFigures(fd.fd, address.type).queue ?? 0
  } catch {
    return undefined
  }
}

function listens({ address: { type } }: BoundSocket): boolean {
  return type !== 'udp' && type !== 'unix-dgram'
}

/** A holder whose descriptors we may not see (ptrace(2)) counts as having it. */
async function isHeld({ socket, holders }: Entry): Promise<boolean> {
  const uid = process.geteuid!()
  const unseen = new Set(holders.filter((holder) => uid !== 0 && holder.uid !== uid).map(({ pid }) => pid))
  const { pids, keeper } = ownProcesses()
  for (const found of await scanProcesses([inodeOf(socket.fd.fd)!], unseen)) {
    if (pids.has(found.pid) || found.parent === keeper) continue
    if (found.inodes.length > 0 || unseen.has(found.pid)) return true
  }
  return false
}
