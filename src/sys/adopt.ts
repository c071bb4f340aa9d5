// A socket that somebody kept for us, instead of one that we bind.

import { type Address, formatAddress } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { addon, constants } from './addon.ts'
import { anchorBeside } from './anchor.ts'
import { type BoundSocket, ends } from './listen.ts'
import type { OwnedFd } from './owned-fd.ts'
import { takePathBack } from './rename-over.ts'
import { identifySocket } from './socket-identity.ts'
import { setInt, socketCookie } from './sockopt.ts'
import { check, SystemError } from './system-error.ts'
import * as unixPath from './unix-path.ts'

/**
 * Takes `fd` for the socket of `address`, or leaves it alone and returns undefined when it is another. It listens again, see takeUp().
 * `anchor`: what was kept beside it; where nothing was, a TCP socket gets one.
 */
export function adoptSocket(
  fd: OwnedFd,
  address: Address,
  options: SocketOptions,
  backlog: number,
  anchor?: OwnedFd,
): BoundSocket | undefined {
  const bound = matchingAddress(fd, address)
  if (bound === undefined) return undefined
  listenAgain(fd, bound, backlog, anchor)
  if ('path' in bound && !unixPath.isAbstract(bound.path)) takePathBack(bound.path, fd)
  const inet = bound.type === 'tcp' || bound.type === 'udp' ? bound : undefined
  const ownAnchor =
    anchor ?? (inet && anchorBeside(fd, inet, { ...options, bindIpv6Only: options.bindIpv6Only ?? 'both' }))
  return adoptedAs(fd, bound, ownAnchor)
}

/** As adoptSocket(), where there is an anchor if one is needed; but it is as yet another's, so nothing is done to it before takeUp(). */
export function foreseeSocket(fd: OwnedFd, address: Address, anchor: OwnedFd | undefined): BoundSocket | undefined {
  const bound = matchingAddress(fd, address)
  return bound && adoptedAs(fd, bound, anchor)
}

/** A holder may have shut it while nobody looked, and clients take the last caller of listen() on a Unix listener for the server. */
export function takeUp({ fd, address, anchor }: BoundSocket, backlog: number): void {
  listenAgain(fd, address, backlog, anchor)
}

function listenAgain(fd: OwnedFd, { type }: Address, backlog: number, anchor: OwnedFd | undefined): void {
  // Without it, a listener that was shut cannot listen beside its anchor.
  if (anchor !== undefined && type === 'tcp') setInt(fd.fd, constants.SOL_SOCKET, constants.SO_REUSEPORT, 1)
  if (type !== 'udp' && type !== 'unix-dgram') check(addon.listen(fd.fd, backlog), 'listen')
}

function matchingAddress(fd: OwnedFd, address: Address): Address | undefined {
  return identifySocket(fd.fd).type === address.type ? boundAddress(fd, address) : undefined
}

/** One that no name has any more, as it is. `ownsPath`: its path is removed with it, as no other socket has taken that. */
export function adoptLeaving(
  fd: OwnedFd,
  address: Address,
  anchor: OwnedFd | undefined,
  { ownsPath }: { ownsPath: boolean },
): BoundSocket {
  return adoptedAs(fd, address, anchor, ownsPath)
}

function adoptedAs(fd: OwnedFd, bound: Address, anchor: OwnedFd | undefined, ownsPath = true): BoundSocket {
  const path = ownsPath && 'path' in bound && !unixPath.isAbstract(bound.path) ? bound.path : undefined
  const stats = path === undefined ? undefined : unixPath.lstat(path)
  const remove = path !== undefined && stats?.isSocket() ? () => unixPath.removePath(path, stats) : undefined
  return {
    fd,
    anchor,
    address: bound,
    cookie: socketCookie(fd.fd),
    origin: 'kept',
    ...ends(fd, anchor, remove),
  }
}

/** `wanted` with the port that the socket has; undefined when it is bound elsewhere. */
function boundAddress(fd: OwnedFd, wanted: Address): Address | undefined {
  const name = addon.getsockname(fd.fd)
  if (typeof name === 'number') throw new SystemError(-name, 'getsockname')
  if ('path' in wanted) {
    // A socket that was bound beside its path and renamed onto it keeps the name that it was bound to.
    const same = name.text === wanted.path || unixPath.isBeside(name.text, wanted.path)
    return same ? wanted : undefined
  }
  if (wanted.port !== 0 && wanted.port !== name.port) return undefined
  if (wanted.type === 'vsock') return { ...wanted, port: name.port }
  const family = name.family === constants.AF_INET6 ? 6 : 4
  const [host = ''] = name.text.split('%')
  const found = formatAddress({ type: wanted.type, host, port: name.port, family })
  const { zone: _, ...plain } = { ...wanted, port: name.port }
  return found === formatAddress(plain) ? { ...wanted, port: name.port } : undefined
}
