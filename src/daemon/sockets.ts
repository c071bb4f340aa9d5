// The sockets that the broker owns, by name: kept by a store since an earlier broker's time, or else bound. The store has a copy of each.

import { type Address, formatAddress } from '../protocol/address.ts'
import type { SocketDescription, SocketFigures } from '../protocol/messages.ts'
import { type BoundSocket, endListener, inodeOf, removeStrays, setNonBlocking, socketFigures } from '../sys/index.ts'
import type { NameModel } from './config/model.ts'
import { KeptDescriptors } from './kept-descriptors.ts'
import { giveUp, keep, openSockets, unkeep } from './open-sockets.ts'
import type { Lent } from './outbox.ts'
import { socketKey } from './socket-keys.ts'
import type { SocketsAhead } from './sockets-ahead.ts'
import type { SocketInventory } from './state/socket-inventory.ts'

interface Owned {
  model: NameModel
  sockets: readonly BoundSocket[]
  descriptions: readonly SocketDescription[]
  lent: Lent
}

const NOTHING_LENT: Lent = { fds: [], cookies: new BigUint64Array() }

/** A socket and the place that it has. */
export interface PlacedSocket {
  readonly name: string
  readonly index: number
  readonly socket: BoundSocket
  readonly model: NameModel
}

/** Who wants to know which sockets there are. */
export interface SocketsObserver {
  opened(name: string, index: number, socket: BoundSocket, model: NameModel): void
  /** It is closed, or given away, right after this. */
  closing(socket: BoundSocket): void
}

export class Sockets {
  private observer: SocketsObserver | undefined
  private readonly names = new Map<string, Owned>()
  private readonly kept: KeptDescriptors
  private readonly inventory: SocketInventory | undefined
  private readonly ahead: SocketsAhead | undefined
  /** That were not bound by this broker. */
  private readonly taken = new WeakSet<BoundSocket>()

  constructor(kept = new KeptDescriptors(), inventory?: SocketInventory, ahead?: SocketsAhead) {
    this.kept = kept
    this.inventory = inventory
    this.ahead = ahead
  }

  /** Tells of those that there are, and of what changes from now on. */
  observe(observer: SocketsObserver | undefined): void {
    this.observer = observer
    for (const name of this.names.keys()) this.tellOpened(name)
  }

  private tellOpened(name: string): void {
    const owned = this.names.get(name)
    for (const [index, socket] of (owned?.sockets ?? []).entries())
      this.observer?.opened(name, index, socket, owned!.model)
  }

  /**
   * Takes or binds every name's sockets, or none: the error says which socket failed and why. Where a name that was served before
   * cannot have its address, because another process has it, an unbound socket keeps its place: the other names matter more.
   */
  open(models: Iterable<NameModel>, servedBefore: (name: string) => boolean = () => false): void {
    const opened: string[] = []
    try {
      for (const model of models) {
        this.names.set(model.core.name, this.openName(model, servedBefore(model.core.name)))
        opened.push(model.core.name)
        this.tellOpened(model.core.name)
      }
    } catch (error) {
      for (const name of opened) this.giveUp(name)
      throw error
    }
    this.takeStock()
  }

  private giveUp(name: string): void {
    const { sockets } = this.names.get(name)!
    for (const socket of sockets) this.observer?.closing(socket)
    giveUp(this.kept, name, sockets)
    this.names.delete(name)
  }

  private openName(model: NameModel, servedBefore: boolean): Owned {
    const { kept, inventory, ahead } = this
    const opened = openSockets(model, { kept, inventory, ahead, servedBefore })
    for (const socket of opened.taken) this.taken.add(socket)
    return ownedOf(model, opened.sockets)
  }

  /** Before anybody gets one of them. */
  private takeStock(): void {
    const { inventory } = this
    if (inventory === undefined) return
    inventory.clear()
    for (const [name, { sockets }] of this.names) {
      for (const [index, socket] of sockets.entries()) inventory.note(socketKey(name, index), socket)
    }
    inventory.write()
  }

  has(name: string): boolean {
    return this.names.has(name)
  }

  descriptions(name: string): readonly SocketDescription[] {
    return this.names.get(name)?.descriptions ?? []
  }

  /** The broker's own descriptors, in the order of `descriptions`, for one sendmsg; and what the kernel is to say of each then. */
  lent(name: string): Lent {
    return this.names.get(name)?.lent ?? NOTHING_LENT
  }

  /** Of which addresses there was a socket already, and which had to be bound. */
  origins(name: string): { bound: string[]; taken: string[] } {
    const sockets = this.names.get(name)?.sockets ?? []
    const addresses = (taken: boolean) =>
      sockets
        .filter((socket) => !socket.unbound && this.taken.has(socket) === taken)
        .map(({ address }) => formatAddress(address))
    return { bound: addresses(false), taken: addresses(true) }
  }

  inodes(name: string): number[] {
    return this.lent(name).fds.flatMap((fd) => inodeOf(fd) ?? [])
  }

  /** Read from the kernel when asked. */
  figures(name: string): SocketFigures[] {
    const owned = this.names.get(name)
    return (owned?.sockets ?? []).map(({ fd, address: { type }, cookie }, index) => {
      const { queue, limit, drops } = socketFigures(fd.fd, type)
      return { type, address: owned!.descriptions[index]!.address, queue, limit, drops, cookie }
    })
  }

  /** Nobody holds the name: the next holder finds the status flags as configured, blocking unless said otherwise. */
  rest(name: string): void {
    const owned = this.names.get(name)
    for (const socket of owned?.sockets ?? []) setNonBlocking(socket.fd.fd, owned!.model.nonBlocking ?? false)
  }

  /** Puts another socket in the place of one, which is the caller's from now on. When it throws, nothing has changed, and `next` is closed. */
  replace(name: string, index: number, next: BoundSocket): BoundSocket {
    const owned = this.names.get(name)
    const old = owned?.sockets[index]
    if (old === undefined) throw new Error(`${name} has no socket ${index}`)
    this.keepInstead(socketKey(name, index), old, next)
    const sockets = owned!.sockets.with(index, next)
    this.names.set(name, ownedOf(owned!.model, sockets))
    this.takeStock()
    this.observer?.closing(old)
    this.observer?.opened(name, index, next, owned!.model)
    return old
  }

  /** A copy of it in the store, if only in a part of it, would have the address still. */
  private keepInstead(key: string, old: BoundSocket, next: BoundSocket): void {
    try {
      keep(this.kept, key, next)
    } catch (error) {
      next.close()
      keep(this.kept, key, old)
      throw error
    }
  }

  /** Every name's sockets now, in the order of its addresses. */
  current(): ReadonlyMap<string, Pick<Owned, 'model' | 'sockets'>> {
    return new Map(this.names)
  }

  /** Other sockets, or other settings, for a name that may be new. Those that it had and has no more are the caller's. */
  update(name: string, model: NameModel, sockets: readonly BoundSocket[]): void {
    const before = this.names.get(name)?.sockets ?? []
    for (const socket of before) this.observer?.closing(socket)
    this.names.set(name, ownedOf(model, sockets))
    this.tellOpened(name)
    for (const [index, socket] of sockets.entries()) {
      if (before[index] !== socket) keep(this.kept, socketKey(name, index), socket)
    }
    for (let index = sockets.length; index < before.length; index++) unkeep(this.kept, socketKey(name, index))
    this.takeStock()
  }

  /** A name that has come is none after all; what it has is the caller's. */
  withdraw(name: string): void {
    const owned = this.names.get(name)
    if (owned === undefined) return
    this.update(name, owned.model, [])
    this.names.delete(name)
  }

  /** Whoever kept them under another key does so no more. */
  keepAgain(name: string): void {
    for (const [index, socket] of (this.names.get(name)?.sockets ?? []).entries())
      keep(this.kept, socketKey(name, index), socket)
  }

  /** A name does not have this one any more, which is the caller's from now on. */
  release(name: string, socket: BoundSocket): void {
    const owned = this.names.get(name)
    if (owned?.sockets.includes(socket)) {
      const sockets = owned.sockets.filter((each) => each !== socket)
      this.update(name, { ...owned.model, addresses: addressesOf(owned, sockets) }, sockets)
    }
  }

  /** Those that only keep a place. */
  *unbound(): Generator<PlacedSocket> {
    for (const [name, { model, sockets }] of this.names) {
      for (const [index, socket] of sockets.entries()) if (socket.unbound) yield { name, index, socket, model }
    }
  }

  hasUnbound(name: string): boolean {
    return this.names.get(name)?.sockets.some(({ unbound }) => unbound) ?? false
  }

  /** Whether some were there before this broker. */
  get inherited(): boolean {
    return [...this.names.values()].some(({ sockets }) => sockets.some((socket) => this.taken.has(socket)))
  }

  /** Closes a name's sockets, also for holders that have them still. */
  end(name: string): void {
    for (const socket of this.names.get(name)?.sockets ?? []) {
      this.observer?.closing(socket)
      if (listens(socket.address)) endListener(socket.fd.fd)
    }
    this.close(name)
  }

  close(name: string): void {
    this.drop(name)
    this.takeStock()
  }

  private drop(name: string): void {
    for (const [index, socket] of (this.names.get(name)?.sockets ?? []).entries()) {
      unkeep(this.kept, socketKey(name, index))
      this.observer?.closing(socket)
      socket.close()
    }
    this.names.delete(name)
  }

  /** What a broker left that was killed as it bound a socket which was to be renamed over a path. */
  removeStrays(): void {
    const all = [...this.names.values()].flatMap(({ model }) => model.addresses.map((address) => ({ address, model })))
    removeStrays(
      all.flatMap(({ address, model }) =>
        'path' in address ? [{ path: address.path, user: model.options.socketUser }] : [],
      ),
    )
  }

  closeAll(): void {
    this.removeStrays()
    for (const name of [...this.names.keys()]) this.drop(name)
    this.takeStock()
  }
}

const listens = ({ type }: Address) => type !== 'udp' && type !== 'unix-dgram'

function ownedOf(model: NameModel, sockets: readonly BoundSocket[]): Owned {
  const cookies = BigUint64Array.from(sockets, ({ cookie }) => BigInt(`0x${cookie}`))
  const lent = { fds: sockets.map((socket) => socket.fd.fd), cookies }
  return { model, sockets, descriptions: describe(model, sockets), lent }
}

function addressesOf({ model, sockets }: Owned, kept: readonly BoundSocket[]): Address[] {
  return model.addresses.filter((_, index) => kept.includes(sockets[index]!))
}

function describe({ backlog }: NameModel, sockets: readonly BoundSocket[]): SocketDescription[] {
  return sockets.map(({ address, cookie }) => ({
    type: address.type,
    address: formatAddress(address),
    backlog,
    cookie,
  }))
}
