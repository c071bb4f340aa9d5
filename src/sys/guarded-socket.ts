import type { Address } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { addon, constants as c } from './addon.ts'
import { listens } from './make-socket.ts'
import { isPassing } from './passing-errors.ts'
import { listenAgain, repairSocket } from './repair-socket.ts'
import { type Bend, SocketSnapshot, wordOf } from './socket-snapshot.ts'
import { getInt } from './sockopt.ts'
import { SystemError } from './system-error.ts'
import { untouched } from './untouched.ts'

/** What a look at a socket found, in words: `backlog`, `SO_RCVTIMEO`… */
export interface Findings {
  /** Undone. */
  readonly repaired: readonly string[]
  /** Still so: the kernel has no way back. What want of memory kept from being undone is tried again by the next look. */
  readonly left: readonly string[]
  /** Who called listen() on a Unix listener: clients would take that process for the server. */
  readonly listener?: number
}

export interface Guarded {
  readonly fd: number
  readonly address: Address
  readonly backlog: number
  /** Its options, where a holder may have changed it before and nobody says how it was: how it is says nothing then. */
  readonly configured?: SocketOptions | undefined
}

const ROUNDS = 2
/** What nobody but a holder does: a socket that was taken back from one may come like this. */
const NEVER = ['shutdown', 'connect', 'filter', 'TCP_MD5SIG']

/** The broker's own copy of a shared socket, and what it is to be like: as `expected` says, or as configured, or as it was when this was made. */
export class GuardedSocket {
  private readonly socket: Guarded
  private former: string | undefined
  private snapshot: SocketSnapshot | undefined
  private expectsNonBlocking: boolean | undefined

  /** Where the socket cannot be looked at, for want of descriptors or memory, the first look that succeeds says how it is to be. */
  constructor(socket: Guarded, expected?: string) {
    this.socket = socket
    this.former = expected
    try {
      this.snapshot = this.take()
    } catch {
      // inspect() says why.
    }
  }

  /** One that was made while the socket was another broker's, which has this to say of it: it listens again since. */
  takeOver(expected: string): void {
    this.former = expected
    if (this.snapshot === undefined) return
    this.snapshot.refresh()
    this.snapshot.restore(expected)
  }

  private take(): SocketSnapshot {
    const { fd, address } = this.socket
    // How it is says nothing of its backlog; who looks makes it listen again before.
    if (address.type === 'tcp' && !this.listens)
      throw new SystemError(c.errno.ENOTCONN, 'the baseline of a shut listener')
    const snapshot = this.former === undefined ? this.configured() : new SocketSnapshot(fd, address)
    if (this.former !== undefined) snapshot.restore(this.former)
    for (const what of NEVER) snapshot.expect(what, 0)
    if (this.expectsNonBlocking !== undefined) snapshot.expect('O_NONBLOCK', this.expectsNonBlocking ? 1 : 0)
    return snapshot
  }

  private configured(): SocketSnapshot {
    const { fd, address, backlog, configured } = this.socket
    if (configured !== undefined && listens(address)) addon.listen(fd, backlog)
    const snapshot = new SocketSnapshot(fd, address)
    if (configured === undefined) return snapshot
    try {
      snapshot.restore(untouched(address, configured))
    } catch (error) {
      // A device that has gone, for one: of such a socket the broker knows no more than how it is.
      if (!(error instanceof SystemError) || isPassing(error.errno)) throw error
    }
    // Where the configuration leaves it open, whoever has it may rely on it as it is.
    if (configured.nonBlocking === undefined) snapshot.expect('O_NONBLOCK', addon.nonblock(fd))
    return snapshot
  }

  private get listens(): boolean {
    return getInt(this.socket.fd, c.SOL_SOCKET, c.SO_ACCEPTCONN) === 1
  }

  /** Other than before when `expected` is; -1 where that is not known. */
  get revision(): number {
    return this.snapshot?.revision ?? -1
  }

  /** What it is to be like, for a later process. */
  get expected(): string {
    return this.snapshot?.toString() ?? ''
  }

  /** O_NONBLOCK of the shared description. */
  get nonBlocking(): boolean {
    return addon.nonblock(this.socket.fd) === 1
  }

  /** What O_NONBLOCK is to be from now on. */
  expectNonBlocking(on: boolean): void {
    if (on === this.expectsNonBlocking) return
    this.expectsNonBlocking = on
    this.snapshot?.expect('O_NONBLOCK', on ? 1 : 0)
  }

  /** A TCP listener that a holder shut listens again, before anything else is looked at; true when it was shut and is not any more. */
  reopen(): boolean {
    if (this.socket.address.type !== 'tcp' || this.listens) return false
    return listenAgain(this.socket)
  }

  /** Sets everything back that is otherwise than it was. */
  inspect(): Findings | undefined {
    this.snapshot ??= this.take()
    const bends = this.snapshot.bends()
    if (bends.length === 0) return undefined
    let still = bends
    let short: ReturnType<typeof repairSocket> = new Map()
    // One option may change another: SO_RCVBUF is locked when it is set back.
    for (let round = 0; round < ROUNDS && still.length > 0; round++) {
      short = repairSocket(this.socket, still)
      still = this.snapshot.bends()
    }
    const words = still.map(wordFor)
    const repaired = bends.map(wordFor).filter((what) => !words.includes(what))
    const left = still.filter(({ option }) => !short.has(option)).map(wordFor)
    const [want] = short.values()
    if (want !== undefined && repaired.length === 0 && left.length === 0) throw want
    const listener = bends.find(({ option }) => option.label === 'listen')
    return { repaired, left, ...(listener && { listener: wordOf(listener.now) }) }
  }
}

/** A TCP listener without a backlog does not listen. */
function wordFor({ option, now }: Bend): string {
  return option.label === 'backlog' && wordOf(now) === -1 ? 'shutdown' : option.label
}
