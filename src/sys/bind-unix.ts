// A Unix socket at its path. Whoever may write the directory can put something else there at any moment, so nothing is removed, changed or
// answered for before it is known to be ours; and a path that had a socket has one at every moment until it has another.

import { renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { UNIX_PATH_LIMIT, type UnixAddress } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { addon, constants as c } from './addon.ts'
import { bind, makeSocket, type Undo } from './make-socket.ts'
import type { OwnedFd } from './owned-fd.ts'
import { check, SystemError } from './system-error.ts'
import * as unixPath from './unix-path.ts'

const { EACCES, EADDRINUSE } = c.errno

export interface BoundUnix {
  socket: OwnedFd
  /** Of what was made for it. */
  remove(): void
}

export function bindUnix(address: UnixAddress, options: SocketOptions, undo: Undo): BoundUnix {
  const { path } = address
  if (!unixPath.isAbstract(path)) return bindPath(address, options, undo)
  const socket = makeSocket(address, options)
  undo.push(() => socket.close())
  bind(socket, address)
  return { socket, remove: () => {} }
}

function bindPath(address: UnixAddress, options: SocketOptions, undo: Undo): BoundUnix {
  const { path } = address
  const owner = { mode: options.socketMode ?? 0o666, uid: options.socketUser, gid: options.socketGroup }
  const made = unixPath.makeDirectories(dirname(path), options.directoryMode ?? 0o755)
  undo.push(() => unixPath.removeDirectories(made))
  const at = isStale(path, options.socketUser) ? placeOver(path) : path
  const socket = makeSocket(address, options)
  undo.push(() => socket.close())
  check(addon.fchmod(socket.fd, unixPath.modeAtBind(owner)), 'fchmod')
  bind(socket, { ...address, path: at })
  using file = unixPath.openBound(at)
  const bound = unixPath.statOf(file)
  undo.push(() => unixPath.removePath(at, bound))
  unixPath.giveFile(file, owner)
  if (at !== path) renameSync(at, path)
  const remove = () => {
    unixPath.removePath(path, bound)
    unixPath.removeDirectories(made)
  }
  undo.push(remove)
  return { socket, remove }
}

/**
 * Whether a path of ours stands there that no socket is bound to any more. Ours is what belongs to this user, or to whom the path is
 * given, whichever program left it: nobody can connect to it; and what this process bound when it was root. Throws where anything else is.
 */
function isStale(path: string, user: number | undefined): boolean {
  const stats = unixPath.lstat(path)
  if (!stats) return false
  unixPath.refuseOtherFile(path, stats)
  const state = unixPath.probePath(path)
  if (state === 'bound') throw new SystemError(EADDRINUSE, 'bind')
  if (state !== 'absent' && unixPath.isLeft(path, stats)) return true
  if (state === 'denied') throw new SystemError(EACCES, 'connect')
  if (state === 'absent') return false
  if (stats.uid === process.geteuid!() || stats.uid === user) return true
  throw new Error(`${path} is a socket that uid ${stats.uid} left there: remove it, or choose another path`)
}

/** Where to bind what is renamed over a stale path: between its removal and bind() it would be anybody's. */
function placeOver(path: string): string {
  const beside = unixPath.pathBeside(path)
  if (Buffer.byteLength(beside) <= UNIX_PATH_LIMIT) return beside
  unixPath.unlink(path)
  return path
}
