// Changes of a socket that serves, which every holder sees at once.

import { getegid, geteuid } from 'node:process'
import type { Address } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { addon } from './addon.ts'
import type { BoundSocket } from './listen.ts'
import { repairSocket } from './repair-socket.ts'
import { setSocketOptions } from './socket-option-rows.ts'
import { SocketSnapshot } from './socket-snapshot.ts'
import { check } from './system-error.ts'
import * as unixPath from './unix-path.ts'

/** Sets options of a socket and, where they decide who may have the port, of its anchor. */
export function setLiveOptions({ fd, anchor, address }: BoundSocket, options: SocketOptions): void {
  for (const each of options.bindToDevice !== undefined && anchor ? [fd, anchor] : [fd]) {
    setSocketOptions(each.fd, address, options, 'before bind')
    setSocketOptions(each.fd, address, options, 'after bind')
  }
}

/** What sets every option back to what it is now. */
export function rememberOptions({ fd, address }: BoundSocket, backlog: number): () => void {
  const now = new SocketSnapshot(fd.fd, address)
  return () => {
    repairSocket({ fd: fd.fd, backlog }, now.bends())
  }
}

/** Owner and mode of a socket's path: what is not given is the broker's. */
export function setPathAccess(address: Address, { socketMode, socketUser, socketGroup }: SocketOptions): void {
  if (!('path' in address) || unixPath.isAbstract(address.path)) return
  const owner = { mode: socketMode ?? 0o666, uid: socketUser ?? geteuid!(), gid: socketGroup ?? getegid!() }
  unixPath.setPathOwner(address.path, owner)
}

export function setBacklog({ fd }: BoundSocket, backlog: number): void {
  check(addon.listen(fd.fd, backlog), 'listen')
}
