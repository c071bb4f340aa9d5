// A second socket for an address that has one, without a moment in which nobody has it.

import { type Address, formatAddress, type UnixAddress } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { constants as c } from './addon.ts'
import { type BoundSocket, openSocket } from './listen.ts'
import { renameOver } from './rename-over.ts'
import { ReuseGroup, refuseNewcomers } from './reuse-group.ts'
import { getInt } from './sockopt.ts'
import * as unixPath from './unix-path.ts'

/** Why a second socket cannot have the address while the first one lives; undefined when it can. */
export function replaceFault(address: Address): string | undefined {
  if (address.type === 'vsock') return 'the kernel binds a vsock port once'
  if ('path' in address && unixPath.isAbstract(address.path)) return 'the kernel binds an abstract name once'
  return undefined
}

export interface Successor {
  readonly socket: BoundSocket
  /**
   * From now on new clients come to it. Before, closing it loses nothing (of UDP: what came meanwhile). Throws with nothing changed, and
   * the successor open.
   */
  takeOver(): Takeover
}

/** Of which one way is gone, once. */
export interface Takeover {
  /** For good: there is no way back from here. */
  settle(): void
  /** New clients come to the old one again, and the successor is closed; a client who came to it in between is lost. */
  undo(): void
}

/** Opens the successor of `old`, which stays as it is. Throws as openSocket() does, and leaves nothing then. */
export function openSuccessor(old: BoundSocket, options: SocketOptions, backlog: number): Successor {
  const { address } = old
  const fault = replaceFault(address)
  if (fault !== undefined) throw new Error(`${formatAddress(address)} cannot have a new socket: ${fault}`)
  if ('path' in address) return overPath(address, options, backlog)
  return address.type === 'tcp' ? besideTcp(old, options, backlog) : besideUdp(old, options, backlog)
}

function besideTcp(old: BoundSocket, options: SocketOptions, backlog: number): Successor {
  const group = ReuseGroup.of(old.fd)
  const held = group.hold()
  const socket = openSocket(old.address, options, backlog, old)
  const shared = orClosed(socket, () => sharesGroup(old, socket))
  if (!held && shared) orClosed(socket, () => group.holdThrough(socket.fd))
  const takeOver = () => {
    if (!shared) return takeover(socket, { settle: () => refuseNewcomers(old.fd.fd) })
    return takeover(socket, { undo: group.prefer(socket.fd) })
  }
  return { socket, takeOver }
}

const nothing = () => {}

function takeover(socket: BoundSocket, { settle = nothing, undo = nothing }: Partial<Takeover>): Takeover {
  const undoAndClose = () => {
    try {
      undo()
    } finally {
      socket.close()
    }
  }
  return { settle, undo: undoAndClose }
}

/** What `act` returns; when it throws, the socket is closed. */
function orClosed<T>(socket: BoundSocket, act: () => T): T {
  try {
    return act()
  } catch (error) {
    socket.close()
    throw error
  }
}

/** Of sockets that are equally near, the one bound last gets what comes. */
function besideUdp(old: BoundSocket, options: SocketOptions, backlog: number): Successor {
  const socket = openSocket(old.address, options, backlog, old)
  return { socket, takeOver: () => takeover(socket, {}) }
}

/** Bound beside its path and renamed over it: connect() finds the one or the other. It keeps the name that it was bound to. */
function overPath(address: UnixAddress, options: SocketOptions, backlog: number): Successor {
  const { path } = address
  const former = unixPath.lstat(path)
  if (former !== undefined) unixPath.refuseOtherFile(path, former)
  const beside = unixPath.pathBeside(path)
  const socket = openSocket({ ...address, path: beside }, options, backlog)
  const bound = unixPath.lstat(beside)
  const close = () => {
    if (socket.fd.closed) return
    if (bound) unixPath.removePath(path, bound)
    socket.close()
  }
  const successor = { ...socket, address, close }
  return { socket: successor, takeOver: () => takeover(successor, renameOver(beside, path)) }
}

/** Whether two TCP listeners of one port share its new connections; those of different reach do not (inet_reuseport_add_sock). */
export function sharesGroup(a: BoundSocket, b: BoundSocket): boolean {
  if (a.address.type !== 'tcp' || b.address.type !== 'tcp' || a.address.family !== b.address.family) return false
  return a.address.family === 4 || ipv6Only(a) === ipv6Only(b)
}

function ipv6Only({ fd }: BoundSocket): number {
  return getInt(fd.fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY)
}
