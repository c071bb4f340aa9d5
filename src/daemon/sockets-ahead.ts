// What the new broker of an upgrade does while the one before still serves, so that clients wait the less: it looks at each socket as it
// will when it takes it over, and changes nothing. What has another descriptor by then is looked at anew.

import type { Address } from '../protocol/address.ts'
import { type BoundSocket, foreseeSocket, GuardedSocket, type Keeper, type OwnedFd, takeUp } from '../sys/index.ts'
import type { Config, NameModel } from './config/model.ts'
import { anchorKey, socketKey } from './socket-keys.ts'

export class SocketsAhead {
  private readonly keeper: Keeper
  private readonly sockets = new Map<OwnedFd, BoundSocket>()
  private readonly guarded = new Map<BoundSocket, GuardedSocket>()

  constructor({ names }: Config, keeper: Keeper) {
    this.keeper = keeper
    for (const model of names.values()) {
      for (const [index, address] of model.addresses.entries()) this.foresee(model, index, address)
    }
  }

  private foresee({ core, backlog, guard }: NameModel, index: number, address: Address): void {
    const key = socketKey(core.name, index)
    const [fd, ...others] = this.keeper.ahead(key)
    const [anchor] = this.keeper.ahead(anchorKey(key))
    // Where there is no anchor one would be made.
    if (fd === undefined || others.length > 0 || (anchor === undefined && 'port' in address)) return
    try {
      const socket = foreseeSocket(fd, address, anchor)
      if (socket === undefined) return
      this.sockets.set(fd, socket)
      if (guard) this.guarded.set(socket, new GuardedSocket({ fd: fd.fd, address, backlog }))
    } catch {
      // It is told of when it is taken over.
    }
  }

  /** The socket of that very descriptor and anchor, taken up. */
  socketOf(fd: OwnedFd, anchor: OwnedFd | undefined, backlog: number): BoundSocket | undefined {
    const socket = this.sockets.get(fd)
    if (socket === undefined || socket.anchor !== anchor) return undefined
    takeUp(socket, backlog)
    return socket
  }

  /** As the broker before says that it is to be. */
  guardedOf(socket: BoundSocket, expected: string): GuardedSocket | undefined {
    const guarded = this.guarded.get(socket)
    guarded?.takeOver(expected)
    return guarded
  }
}
