// Sockets that leave are kept under keys of their own: the broker that comes next has them leave on, and sends new clients of a port to
// the very socket that they went to before.

import type { StateRecord } from '../core/state.ts'
import { formatAddress, parseAddress } from '../protocol/address.ts'
import { adoptLeaving, type BoundSocket, identifySocket, type OwnedFd, ReuseGroup, socketCookie } from '../sys/index.ts'
import type { KeptDescriptors } from './kept-descriptors.ts'
import type { Settings } from './reload/live-changes.ts'
import { anchorKey } from './socket-keys.ts'
import type { Records } from './state/expected-options.ts'

/** What the next broker has to know of one, beside its descriptors. */
export interface LeavingTerms {
  readonly name: string
  /** Another socket has its address: it can wait for what comes late without keeping anybody. */
  readonly replaced: boolean
  /** Milliseconds that it had when it began to leave. */
  readonly timeout: number
  /** When they are over, in milliseconds since the epoch. */
  readonly until: number
  /** Pids of who has it by a lease. */
  readonly holders: readonly number[]
  /** What it was opened with, and what the guard says that it is to be like, where its name may have it back. */
  readonly settings?: Settings
  readonly expected?: string
}

/** `leaving/COOKIE` */
interface LeavingRecord extends LeavingTerms {
  address: string
  /** The cookies of the TCP listeners that share its port, in the kernel's order. */
  order: string[]
}

export interface KeptLeavingSocket extends LeavingTerms {
  readonly socket: BoundSocket
}

const RECORD = 'leaving/'
const keyOf = (cookie: string) => `.leaving/${cookie}`

export class KeptLeaving {
  private readonly kept: KeptDescriptors
  private readonly records: Records
  /** By cookie, as JSON. */
  private readonly noted = new Map<string, string>()

  constructor(kept: KeptDescriptors, records: Records) {
    this.kept = kept
    this.records = records
  }

  /**
   * Before its name has another, so that at no moment nobody keeps it; and again after that, because systemd does not store
   * what it has under another name. What it was bound with stays its successor's too.
   */
  keep({ socket: { fd, anchor, cookie }, replaced }: KeptLeavingSocket): void {
    const { store } = this.kept
    store.put(keyOf(cookie), [fd.fd])
    if (anchor !== undefined && !replaced) store.put(anchorKey(keyOf(cookie)), [anchor.fd])
  }

  /** Writes down what has changed of those that leave; `ended` is none of them any more. */
  note(all: Iterable<KeptLeavingSocket>, ended?: BoundSocket): void {
    const changed: StateRecord[] = ended === undefined ? [] : [this.forget(ended)]
    for (const leaving of all) {
      const value = recordOf(leaving)
      const text = JSON.stringify(value)
      const { cookie } = leaving.socket
      if (this.noted.get(cookie) === text) continue
      this.noted.set(cookie, text)
      changed.push({ key: RECORD + cookie, value })
    }
    this.records.append(changed)
  }

  /** Another has its address from now on, and what it was bound with. */
  supersede({ cookie }: BoundSocket): void {
    this.kept.store.delete(anchorKey(keyOf(cookie)))
  }

  private forget({ cookie, anchor }: BoundSocket): StateRecord {
    this.noted.delete(cookie)
    this.drop(cookie, anchor !== undefined)
    return { key: RECORD + cookie, value: null }
  }

  private drop(cookie: string, anchored: boolean): void {
    this.kept.store.delete(keyOf(cookie))
    if (anchored) this.kept.store.delete(anchorKey(keyOf(cookie)))
  }

  /** Those of the broker before. `named`: the sockets that names have. */
  restore(values: ReadonlyMap<string, unknown>, named: readonly BoundSocket[]): KeptLeavingSocket[] {
    const found = [...values].filter(([key]) => key.startsWith(RECORD))
    const records = new Map(found.map(([key, value]) => [key.slice(RECORD.length), value as LeavingRecord]))
    const restored = [...records].flatMap(([cookie, record]) => this.claim(cookie, record, named) ?? [])
    const sockets = new Map([...named, ...restored.map(({ socket }) => socket)].map((each) => [each.cookie, each]))
    const last = restored.filter(({ replaced }) => !replaced).map(({ socket }) => socket)
    for (const { socket } of restored) {
      if (ReuseGroup.isAlone(socket.fd)) restoreGroup(records.get(socket.cookie)!.order, sockets, [...named, ...last])
    }
    const gone = [...records.keys()].filter((cookie) => !restored.some(({ socket }) => socket.cookie === cookie))
    this.records.append(gone.map((cookie) => ({ key: RECORD + cookie, value: null })))
    return restored
  }

  /** Undefined when it has ended, or has not begun to leave: its name has it still. */
  private claim(
    cookie: string,
    { address, order: _, ...terms }: LeavingRecord,
    named: readonly BoundSocket[],
  ): KeptLeavingSocket | undefined {
    const key = keyOf(cookie)
    const [fd, ...others] = this.kept.claim(key)
    const [anchor, ...otherAnchors] = this.kept.claim(anchorKey(key))
    for (const other of [...others, ...otherAnchors]) other.close()
    if (fd === undefined || named.some((socket) => socket.cookie === cookie) || !isOpen(fd)) {
      fd?.close()
      anchor?.close()
      if (fd !== undefined) this.drop(cookie, anchor !== undefined)
      return undefined
    }
    const parsed = parseAddress(address)
    const taken = named.some((socket) => formatAddress(socket.address) === address)
    this.kept.keepOn(key, fd)
    if (anchor !== undefined) this.kept.keepOn(anchorKey(key), anchor)
    return { ...terms, socket: adoptLeaving(fd, parsed, anchor, { ownsPath: !terms.replaced && !taken }) }
  }
}

function recordOf({
  socket,
  name,
  replaced,
  timeout,
  until,
  holders,
  settings,
  expected,
}: KeptLeavingSocket): LeavingRecord {
  return {
    name,
    address: formatAddress(socket.address),
    replaced,
    timeout,
    until,
    holders,
    order: orderOf(socket),
    ...(settings !== undefined && { settings }),
    ...(expected !== undefined && { expected }),
  }
}

function orderOf({ fd, address }: BoundSocket): string[] {
  if (address.type !== 'tcp') return []
  return ReuseGroup.of(fd).order.map((member) => (member.closed ? '' : socketCookie(member.fd)))
}

/** A socket that listens is over for all once it has been shut. */
export function isOpen(fd: OwnedFd): boolean {
  const { type, listening } = identifySocket(fd.fd)
  return type === 'udp' || type === 'unix-dgram' || listening
}

/** New connections are those of the first of `served` that is among them. */
function restoreGroup(
  order: readonly string[],
  sockets: ReadonlyMap<string, BoundSocket>,
  served: readonly BoundSocket[],
): void {
  const members = order.map((cookie) => sockets.get(cookie)?.fd)
  const chosen = served.find(({ fd }) => members.includes(fd))
  if (chosen !== undefined) ReuseGroup.restore(members, chosen.fd)
}
