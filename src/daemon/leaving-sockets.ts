// Sockets that were replaced or removed. The broker keeps each until its queue has been empty for a while, so that a handshake
// under way still gets in, and until no holder has it open; or until the deadline. Then it ends for everybody. What becomes of the broker
// meanwhile changes nothing of that: see kept-leaving.ts.

import { formatAddress } from '../protocol/address.ts'
import {
  type BoundSocket,
  endListener,
  inodeOf,
  mayLookInto,
  ReuseGroup,
  scanProcesses,
  socketFigures,
} from '../sys/index.ts'
import { isOpen, type KeptLeaving, type KeptLeavingSocket, type LeavingTerms } from './kept-leaving.ts'
import type { Log } from './log.ts'
import { ownProcesses } from './own-processes.ts'

export interface LeavingSocket extends Omit<LeavingTerms, 'until'> {
  readonly socket: BoundSocket
}

interface Entry extends Omit<KeptLeavingSocket, 'replaced'> {
  replaced: boolean
  readonly deadline: number
  quietSince: number
  /** When holders are looked for next. */
  lookAt: number
  /** That it cannot be looked at, or ended, was said. */
  failed?: true
}

const LOOK_MS = 50
const HOLDERS_LOOK_MS = 500
/** A SYN or SYN-ACK that was lost is sent again after 1 s (RFC 6298). */
const TCP_QUIET_MS = 2000
/** connect() on a path, and a datagram, are there at once. */
const LOCAL_QUIET_MS = 200

export class LeavingSockets {
  private readonly entries = new Set<Entry>()
  private readonly kept: KeptLeaving
  private readonly log: Log
  /** This is the only broker. */
  private running = false
  private timer: NodeJS.Timeout | undefined

  /** With what the broker before has left. Nothing is done about them before resume(). */
  constructor(kept: KeptLeaving, log: Log, before: Iterable<KeptLeavingSocket> = []) {
    this.kept = kept
    this.log = log
    // The clock of a host may be set back.
    for (const leaving of before) this.enter(leaving, Math.min(leaving.until - Date.now(), leaving.timeout))
    kept.note(this.entries)
  }

  /** Before its name has another. */
  add(leaving: LeavingSocket): void {
    const entry = this.enter({ ...leaving, until: Date.now() + leaving.timeout }, leaving.timeout)
    this.kept.keep(entry)
    this.kept.note(this.entries)
    this.startLooking()
  }

  /** Its name has another now. */
  left(socket: BoundSocket): void {
    const entry = this.of(socket)
    if (entry === undefined) return
    this.kept.keep(entry)
    turnNewcomersAway(socket)
  }

  all(): readonly KeptLeavingSocket[] {
    return [...this.entries]
  }

  /** Before another that has its address takes its place. */
  supersede(socket: BoundSocket): void {
    const entry = this.of(socket)
    if (entry === undefined) return
    entry.replaced = true
    this.kept.supersede(socket)
    this.kept.note(this.entries)
    turnNewcomersAway(socket)
  }

  /** A name has it again, and keeps it. */
  takenBack(socket: BoundSocket): void {
    const entry = this.of(socket)
    if (entry !== undefined) this.entries.delete(entry)
    this.kept.note(this.entries, socket)
  }

  private of(socket: BoundSocket): Entry | undefined {
    return [...this.entries].find((entry) => entry.socket === socket)
  }

  private enter(leaving: KeptLeavingSocket, timeout: number): Entry {
    const now = performance.now()
    const entry = { ...leaving, deadline: now + timeout, quietSince: now, lookAt: 0 }
    this.entries.add(entry)
    return entry
  }

  pause(): void {
    this.running = false
    clearInterval(this.timer)
    this.timer = undefined
  }

  resume(): void {
    this.running = true
    this.startLooking()
  }

  private startLooking(): void {
    if (this.running && this.entries.size > 0) this.timer ??= setInterval(() => this.look(), LOOK_MS)
  }

  /** Nobody serves that address any more: one that waits for latecomers would get all of them. */
  endAt(address: string): void {
    for (const entry of this.entries) if (formatAddress(entry.socket.address) === address) this.end(entry)
  }

  /** The broker ends; holders may go on. */
  closeAll(): void {
    this.pause()
    for (const { socket } of this.entries) {
      this.kept.note([], socket)
      socket.close()
    }
    this.entries.clear()
  }

  private look(): void {
    const now = performance.now()
    for (const entry of this.entries) {
      try {
        this.lookAt(entry, now)
      } catch (error) {
        this.failed(entry, error)
      }
    }
  }

  private lookAt(entry: Entry, now: number): void {
    if (waiting(entry.socket) !== 0) entry.quietSince = now
    if (now >= entry.deadline || isShut(entry.socket)) this.end(entry)
    else if (now - entry.quietSince >= quietOf(entry) && now >= entry.lookAt)
      this.endUnlessHeld(entry, now).catch((error: unknown) => this.failed(entry, error))
  }

  /** It is looked at again. */
  private failed(entry: Entry, error: unknown): void {
    const { name, socket } = entry
    if (!entry.failed) this.log.error({ err: error, name, cookie: socket.cookie }, 'an old socket could not be closed')
    entry.failed = true
  }

  /** A holder that accepts from it still would take its end for an error; one that has swapped has closed it. */
  private async endUnlessHeld(entry: Entry, now: number): Promise<void> {
    entry.lookAt = now + HOLDERS_LOOK_MS
    const held = await isHeld(entry).catch(() => true)
    if (!held && this.running && this.entries.has(entry) && waiting(entry.socket) === 0) this.end(entry)
  }

  private end(entry: Entry): void {
    const { name, socket } = entry
    const dropped = waiting(socket) ?? 0
    // A copy that is left somewhere would keep the address, and get clients that nobody answers.
    if (listens(socket)) endListener(socket.fd.fd)
    if (socket.address.type === 'tcp') ReuseGroup.of(socket.fd).leave(socket.fd)
    this.entries.delete(entry)
    try {
      this.kept.note(this.entries, socket)
    } finally {
      socket.close()
    }
    const details = { name, socket: formatAddress(socket.address), cookie: socket.cookie, dropped }
    if (dropped > 0) this.log.warn(details, 'old socket closed: what waited in its queue is lost')
    else this.log.info(details, 'old socket closed')
    if (this.entries.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}

/** Nobody will have it in the place of its successor again. */
function turnNewcomersAway({ fd, address }: BoundSocket): void {
  if (address.type === 'tcp') ReuseGroup.of(fd).turnOthersAway()
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

/** By a holder. What cannot be asked, for want of memory, is looked at again. */
function isShut({ fd }: BoundSocket): boolean {
  try {
    return !isOpen(fd)
  } catch {
    return false
  }
}

function listens({ address: { type } }: BoundSocket): boolean {
  return type !== 'udp' && type !== 'unix-dgram'
}

/** A holder whose descriptors we may not see (ptrace(2)) counts as having it. */
async function isHeld({ socket, holders }: Entry): Promise<boolean> {
  const unseen = new Set(holders.filter((pid) => !mayLookInto(pid)))
  const { pids, keeper } = ownProcesses()
  for (const found of await scanProcesses([inodeOf(socket.fd.fd)!], unseen)) {
    if (pids.has(found.pid) || found.parent === keeper) continue
    if (found.inodes.length > 0 || unseen.has(found.pid)) return true
  }
  return false
}
