// The sockets of one name, taken from whoever has them already or else bound; the store has a copy of each from then on.

import type { Address } from '../protocol/address.ts'
import { AddressInUse, adoptSocket, type BoundSocket, openSocket, unboundSocket } from '../sys/index.ts'
import { adoptKept } from './adopt-kept.ts'
import type { NameModel } from './config/model.ts'
import { optionsFor } from './config/options-for.ts'
import type { KeptDescriptors } from './kept-descriptors.ts'
import { anchorKey, socketKey } from './socket-keys.ts'
import type { SocketsAhead } from './sockets-ahead.ts'
import type { SocketInventory } from './state/socket-inventory.ts'

interface Sources {
  kept: KeptDescriptors
  ahead?: SocketsAhead | undefined
  inventory: SocketInventory | undefined
  /** The name was: an unbound socket may keep the place of one that cannot be bound. */
  servedBefore: boolean
}

interface OpenedSockets {
  sockets: BoundSocket[]
  /** Those of them that were there already. */
  taken: BoundSocket[]
}

/** All of them or none: the error says which name failed and why. */
export function openSockets(model: NameModel, sources: Sources): OpenedSockets {
  const { kept, inventory, servedBefore } = sources
  const { name } = model.core
  const opened: OpenedSockets = { sockets: [], taken: [] }
  try {
    for (const [index, address] of model.addresses.entries()) {
      const found = take(model, index, address, sources)
      if (found !== undefined) opened.taken.push(found)
      const socket = found ?? bindOrStand(model, address, servedBefore || inventory?.had(name, address) === true)
      opened.sockets.push(socket)
      if (found === undefined) keep(kept, socketKey(name, index), socket)
      else keepOn(kept, socketKey(name, index), found)
    }
  } catch (error) {
    giveUp(kept, name, opened.sockets)
    throw new Error(`[sockets.${name}]: ${(error as Error).message}`, { cause: error })
  }
  return opened
}

/** From a keeper or service manager, else from a worker that has it still. */
function take(model: NameModel, index: number, address: Address, { kept, inventory, ahead }: Sources) {
  return (
    adoptKept(kept, model, index, address, ahead) ??
    inventory?.recover(model.core.name, address.type, ({ fd }) =>
      adoptSocket(fd, address, optionsFor(model, address), model.backlog),
    )
  )
}

function bindOrStand(model: NameModel, address: Address, servedBefore: boolean): BoundSocket {
  try {
    return openSocket(address, optionsFor(model, address), model.backlog)
  } catch (error) {
    if (!servedBefore || !(error instanceof AddressInUse)) throw error
    return unboundSocket(address)
  }
}

export function keep(kept: KeptDescriptors, key: string, { fd, anchor, unbound }: BoundSocket): void {
  if (unbound) return unkeep(kept, key)
  const { store } = kept
  store.put(key, [fd.fd])
  if (anchor !== undefined) store.put(anchorKey(key), [anchor.fd])
  else store.delete(anchorKey(key))
}

function keepOn(kept: KeptDescriptors, key: string, { fd, anchor }: BoundSocket): void {
  kept.keepOn(key, fd)
  kept.keepOn(anchorKey(key), anchor)
}

/** A start that fails: what it bound ends, and what was there before is left for the next. */
export function giveUp(kept: KeptDescriptors, name: string, sockets: readonly BoundSocket[]): void {
  for (const [index, socket] of sockets.entries()) {
    if (socket.origin !== undefined) {
      socket.leave()
      continue
    }
    unkeep(kept, socketKey(name, index))
    socket.close()
  }
}

export function unkeep({ store }: KeptDescriptors, key: string): void {
  store.delete(key)
  store.delete(anchorKey(key))
}
