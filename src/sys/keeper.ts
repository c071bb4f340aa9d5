// The keeper, as its broker sees it: it keeps descriptors, hears what the broker does, and relays between two of them in an upgrade.

import { constants as os } from 'node:os'
import { addon, constants } from './addon.ts'
import type { DescriptorStore } from './descriptor-store.ts'
import { KeeperLink, type KeeperPacket } from './keeper-link.ts'
import { dupAll, OwnedFd } from './owned-fd.ts'
import { getInt, peerCredentials } from './sockopt.ts'
import { SystemError } from './system-error.ts'

export const KEEPER_VARIABLE = 'FD_BROKER_KEEPER'

/** What the keeper tells of its own accord. */
export type KeeperEvent =
  | { type: 'signal'; signal: NodeJS.Signals }
  /** It takes nothing that it is sent, which waits; or has taken all of it. */
  | { type: 'behind'; isBehind: boolean }
  /** Something could not be kept. */
  | { type: 'fault'; key: string; error: SystemError }
  /** The new broker of an upgrade is loaded; it waits for frozen(). */
  | { type: 'prepared'; pid: number; version: string }
  /** The upgrade came to nothing; the new broker is ended. Empty when it was aborted. */
  | { type: 'failed'; why: string }
  /** To the new broker: take everything now. */
  | { type: 'take' }
  /** To both: the new broker is the broker from now on. */
  | { type: 'commit' }
  /** The keeper has gone. */
  | { type: 'lost' }

/** What the keeper says when it starts a broker. */
export interface KeeperHello {
  role: 'first' | 'again' | 'candidate'
  /** Of the broker before. */
  lastPid: number
  /** How that one ended: `signal 9`, `status 1`. */
  lastEnd: string
  /** Brokers that died under this keeper. */
  deaths: number
}

/** Clients wait for that. */
const FROZEN_PATIENCE_MS = 100

const ROLES = ['first', 'again', 'candidate'] as const
const SIGNALS = new Map(Object.entries(os.signals).map(([name, number]) => [number, name as NodeJS.Signals]))

export class Keeper implements DescriptorStore {
  readonly keeps = true
  readonly hello: KeeperHello
  readonly pid: number
  readonly #link: KeeperLink
  /** What the keeper has, before anybody has taken it. */
  #ahead: Map<string, OwnedFd[]> | undefined
  /** What a candidate wants kept: nothing that it does has an effect before it is the broker. */
  #held: { op: string; key: string; fds: OwnedFd[] }[] | undefined
  #onEvent: (event: KeeperEvent) => void = () => {}

  /** The keeper that started this process; undefined when none did. */
  static of(variables: NodeJS.ProcessEnv): Keeper | undefined {
    const text = variables[KEEPER_VARIABLE]
    delete variables[KEEPER_VARIABLE]
    if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined
    const fd = Number(text)
    return isFromParent(fd) ? new Keeper(new OwnedFd(fd)) : undefined
  }

  private constructor(socket: OwnedFd) {
    this.#link = new KeeperLink(socket, {
      behind: (isBehind) => this.#onEvent({ type: 'behind', isBehind }),
      unsent: (_, key, error) => this.#onEvent({ type: 'fault', key, error }),
    })
    this.pid = process.ppid
    const { bytes } = this.#link.answer('H')
    const [role, lastPid, status, deaths] = [0, 4, 8, 12].map((at) => bytes.readInt32LE(at)) as [
      number,
      number,
      number,
      number,
    ]
    this.hello = { role: ROLES[role]!, lastPid, lastEnd: describeEnd(status), deaths }
    if (this.hello.role === 'candidate') this.#held = []
  }

  /** The new broker of an upgrade, which must not touch anything yet. */
  get isCandidate(): boolean {
    return this.#held !== undefined
  }

  put(key: string, fds: readonly number[]): void {
    if (this.#held) this.#held.push({ op: 'P', key, fds: dupAll(fds) })
    else this.#link.send('P', key, fds)
  }

  /** The keeper has it. */
  retain(): void {}

  delete(key: string): void {
    if (this.#held) this.#held.push({ op: 'D', key, fds: [] })
    else this.#link.send('D', key)
  }

  take(): Map<string, OwnedFd[]> {
    const kept = this.#ahead ?? this.#ask()
    this.#ahead = undefined
    return kept
  }

  /**
   * As take() will give it, for who has to look before; it stays the keeper's. To a candidate, whose keeper tells it of what changes
   * until it may take over, this is how it was when the candidate asked first.
   */
  ahead(key: string): readonly OwnedFd[] {
    this.#ahead ??= this.#ask()
    return this.#ahead.get(key) ?? []
  }

  #ask(): Map<string, OwnedFd[]> {
    const kept = new Map<string, OwnedFd[]>()
    this.#link.send('G')
    for (;;) {
      const packet = this.#link.answer('KgE')
      if (packet.op === 'E') return kept
      change(kept, packet)
      if (!packet.fdsLost) continue
      closeKept(kept)
      throw new Error('the keeper keeps more descriptors than this process may have open: raise RLIMIT_NOFILE')
    }
  }

  /** A candidate hears of what was put and deleted since it asked; where it did not hear of everything, it has to ask again. */
  #follow(packet: KeeperPacket): boolean {
    const { op, bytes, fdsLost } = packet
    if (op === 't' && this.#ahead && bytes[0] !== 1) this.#forgetAhead()
    if (op !== 'K' && op !== 'g') return false
    if (this.#ahead) change(this.#ahead, packet)
    else for (const fd of packet.fds) fd.close()
    if (fdsLost) this.#forgetAhead()
    return true
  }

  #forgetAhead(): void {
    if (this.#ahead) closeKept(this.#ahead)
    this.#ahead = undefined
  }

  /** The keeper takes the POSIX lock of the file that is kept under `key`. `errno` 0: it has it; else `holder`, if known. */
  lock(key: string): { errno: number; holder: number } {
    this.#link.send('L', key)
    const { bytes } = this.#link.answer('l')
    return { errno: -bytes.readInt32LE(0), holder: bytes.readInt32LE(4) }
  }

  /** From now on the death of this process is answered by a new start. */
  serving(): void {
    this.#link.send('S')
  }

  /** False where the keeper takes nothing: what it was sent last would be lost with this process. */
  caughtUp(): Promise<boolean> {
    return this.#link.caughtUp()
  }

  /** This process ends by itself; the keeper ends with it, and with its status. */
  ending(): void {
    this.#link.send('X')
  }

  /** Starts what is installed now; `prepared` or `failed` follow. */
  upgrade(): void {
    this.#link.send('U')
  }

  abortUpgrade(): void {
    this.#link.send('A')
  }

  /** This broker does nothing any more: the new one may take over. Throws when the keeper cannot be told, and will not be told later. */
  frozen(): void {
    if (!this.#link.sendNow('z', '', [], FROZEN_PATIENCE_MS))
      throw new Error('the keeper takes nothing: is it stopped?')
  }

  /** The new one: everything is loaded. `program` is the keeper that belongs to it. */
  prepared(program: string, version: string): void {
    this.#link.send('p', `${program}\0${version}`)
  }

  /** The new one: serves as soon as `commit` comes. */
  ready(): void {
    this.#link.send('r')
  }

  /** The new one: cannot take over. */
  refuse(why: string): void {
    this.#link.send('n', Buffer.from(why).subarray(0, 900))
  }

  /** After `commit`: what was to be kept meanwhile is kept. */
  committed(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const { op, key, fds } of held) {
      this.#link.send(
        op,
        key,
        fds.map((fd) => fd.fd),
      )
      for (const fd of fds) fd.close()
    }
  }

  listen(onEvent: (event: KeeperEvent) => void): void {
    this.#onEvent = onEvent
    this.#link.listen(
      (packet) => {
        const event = this.#follow(packet) ? undefined : eventOf(packet)
        if (event) onEvent(event)
      },
      () => onEvent({ type: 'lost' }),
    )
  }

  /** Whether the process stays alive to hear it; not at first. */
  ref(): void {
    this.#link.ref()
  }

  unref(): void {
    this.#link.unref()
  }
}

function change(kept: Map<string, OwnedFd[]>, { op, bytes, fds }: KeeperPacket): void {
  const key = bytes.toString()
  // What waits in a notify socket may take its time to be let go of.
  for (const fd of kept.get(key) ?? []) fd.closeLater()
  if (op === 'K') kept.set(key, fds)
  else kept.delete(key)
}

function closeKept(kept: ReadonlyMap<string, OwnedFd[]>): void {
  for (const fd of [...kept.values()].flat()) fd.close()
}

/** An end of a socketpair that the parent made: the variable may have come from anywhere. */
function isFromParent(fd: number): boolean {
  try {
    const { SOL_SOCKET, SO_TYPE, SOCK_SEQPACKET } = constants
    if (getInt(fd, SOL_SOCKET, SO_TYPE) !== SOCK_SEQPACKET) return false
    return peerCredentials(fd).pid === process.ppid && addon.nonblock(fd) >= 0
  } catch (error) {
    if (error instanceof SystemError) return false
    throw error
  }
}

/** Of wait(2). */
function describeEnd(status: number): string {
  return status & 0x7f ? `signal ${status & 0x7f}` : `status ${(status >> 8) & 0xff}`
}

function eventOf({ op, bytes, fds }: KeeperPacket): KeeperEvent | undefined {
  for (const fd of fds) fd.close()
  switch (op) {
    case 's': {
      const signal = SIGNALS.get(bytes.readInt32LE(0))
      return signal && { type: 'signal', signal }
    }
    case 'R': {
      const error = new SystemError(bytes.readInt32LE(0), 'keep')
      return { type: 'fault', key: bytes.subarray(4).toString(), error }
    }
    case 'p':
      return { type: 'prepared', pid: bytes.readInt32LE(0), version: bytes.subarray(4).toString() }
    case 'f':
      return { type: 'failed', why: bytes.toString() }
    case 't':
      return { type: 'take' }
    case 'c':
      return { type: 'commit' }
    default:
      return undefined
  }
}
