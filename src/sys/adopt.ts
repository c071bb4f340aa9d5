// A socket that somebody kept for us, instead of one that we bind.

import { type Address, formatAddress } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { addon, constants } from './addon.ts'
import { anchorBeside } from './anchor.ts'
import type { BoundSocket } from './listen.ts'
import type { OwnedFd } from './owned-fd.ts'
import { identifySocket } from './socket-identity.ts'
import { setInt } from './sockopt.ts'
import { check, SystemError } from './system-error.ts'
import * as unixPath from './unix-path.ts'

/**
 * Takes `fd` for the socket of `address`, or leaves it alone and returns undefined when it is another. It listens again: a holder may
 * have shut it while nobody looked, and clients take the last caller of listen() on a Unix listener for the server. `anchor`: what
 * was kept beside it; where nothing was, a TCP socket gets one.
 */
export function adoptSocket(
  fd: OwnedFd,
  address: Address,
  options: SocketOptions,
  backlog: number,
  anchor?: OwnedFd,
): BoundSocket | undefined {
  const { type, cookie } = identifySocket(fd.fd)
  const bound = type === address.type ? boundAddress(fd, address) : undefined
  if (bound === undefined) return undefined
  const datagrams = type === 'udp' || type === 'unix-dgram'
  // Without it, a listener that was shut cannot listen beside its anchor.
  if (anchor !== undefined && type === 'tcp') setInt(fd.fd, constants.SOL_SOCKET, constants.SO_REUSEPORT, 1)
  if (!datagrams) check(addon.listen(fd.fd, backlog), 'listen')
  const path = 'path' in address && !unixPath.isAbstract(address.path) ? address.path : undefined
  const stats = path === undefined ? undefined : unixPath.lstat(path)
  const inet = bound.type === 'tcp' || bound.type === 'udp' ? bound : undefined
  const ownAnchor =
    anchor ?? (inet && anchorBeside(fd, inet, { ...options, bindIpv6Only: options.bindIpv6Only ?? 'both' }))
  return {
    fd,
    anchor: ownAnchor,
    address: bound,
    cookie,
    close: () => {
      if (fd.closed) return
      if (path !== undefined && stats?.isSocket()) unixPath.removePath(path, stats)
      fd.close()
      ownAnchor?.close()
    },
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
