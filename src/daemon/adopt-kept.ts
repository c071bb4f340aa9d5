// Sockets that were kept since an earlier broker's time, or passed by a service manager: they are taken instead of being bound.

import type { Address } from '../protocol/address.ts'
import { adoptSocket, type BoundSocket, type OwnedFd } from '../sys/index.ts'
import type { NameModel } from './config/model.ts'
import { optionsFor } from './config/options-for.ts'
import type { KeptDescriptors } from './kept-descriptors.ts'
import { anchorKey, socketKey } from './socket-keys.ts'
import type { SocketsAhead } from './sockets-ahead.ts'

/** The socket of one address of the name; undefined when none is kept that is bound to it. */
export function adoptKept(
  kept: KeptDescriptors,
  model: NameModel,
  index: number,
  address: Address,
  ahead?: SocketsAhead,
): BoundSocket | undefined {
  const key = socketKey(model.core.name, index)
  const anchors = kept.claim(anchorKey(key))
  const [anchor, ...moreAnchors] = anchors
  // A service manager knows the name alone: which of its sockets this is, the address tells.
  for (const candidates of [key, model.core.name]) {
    const fds = kept.claim(candidates)
    const adopt = (fd: OwnedFd) => adoptSocket(fd, address, optionsFor(model, address), model.backlog, anchor)
    const adopted = firstOf(fds, (fd) => ahead?.socketOf(fd, anchor, model.backlog) ?? adopt(fd))
    kept.giveBack(
      candidates,
      fds.filter((fd) => fd !== adopted?.fd),
    )
    if (adopted === undefined) continue
    for (const extra of moreAnchors) extra.close()
    return candidates === key ? adopted : { ...adopted, origin: 'passed' }
  }
  kept.giveBack(anchorKey(key), anchors)
  return undefined
}

function firstOf<T>(fds: readonly OwnedFd[], adopt: (fd: OwnedFd) => T | undefined): T | undefined {
  for (const fd of fds) {
    const adopted = adopt(fd)
    if (adopted !== undefined) return adopted
  }
  return undefined
}
