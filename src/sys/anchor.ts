// The anchor of a TCP or UDP port: a bound socket that never listens and is never passed. While it is there nobody else can bind
// the port, whatever a holder does to the shared socket: shut it, turn SO_REUSEADDR on, listen again.
//
// Only sockets with SO_REUSEPORT and the anchor's uid may join it (inet_csk_bind_conflict, udp_lib_lport_inuse). That uid is
// nobody's, and it is set before bind(), because the port's own record keeps the uid of the first bind.

import type { InetAddress } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { addon, constants as c } from './addon.ts'
import { bind, boundPort, makeSocket } from './make-socket.ts'
import type { OwnedFd } from './owned-fd.ts'
import { privateUid } from './private-uid.ts'
import { setInt } from './sockopt.ts'
import { SystemError } from './system-error.ts'

const { EPERM, EINVAL } = c.errno
const set = (fd: OwnedFd, name: number, on: 0 | 1) => setInt(fd.fd, c.SOL_SOCKET, name, on)

/** The operator lets other programs of this user share the port: by the option, or by a raw SO_REUSEADDR or SO_REUSEPORT. */
function sharesPort({ reusePort, sockopt }: SocketOptions): boolean {
  const reuses = new Set([c.SO_REUSEADDR, c.SO_REUSEPORT])
  return reusePort === true || (sockopt ?? []).some(({ level, name }) => level === c.SOL_SOCKET && reuses.has(name))
}

/** Gives a socket to a uid, before bind(). Without CAP_CHOWN, or where a user namespace does not map the uid, it stays ours. */
function disown(fd: OwnedFd, uid: number): void {
  const errno = -addon.fchown(fd.fd, uid, -1)
  if (errno > 0 && errno !== EPERM && errno !== EINVAL) throw new SystemError(errno, 'fchown')
}

function ownerOf(fd: OwnedFd): number {
  const stat = addon.fstat(fd.fd)
  if (typeof stat === 'number') throw new SystemError(-stat, 'fstat')
  return stat.uid
}

/**
 * Undefined for a UDP port that is shared with other programs: datagrams would go to the anchor as well. Throws EADDRINUSE when
 * anybody has the port. Port 0 gets its port here.
 */
export function openAnchor(address: InetAddress, options: SocketOptions): OwnedFd | undefined {
  const shared = sharesPort(options)
  if (shared && address.type === 'udp') return undefined
  const anchor = makeSocket(address, options)
  try {
    if (!shared) disown(anchor, privateUid())
    bind(anchor, address)
    if (address.type === 'tcp') settleTcp(anchor)
    else set(anchor, c.SO_RCVBUF, 0)
    return anchor
  } catch (error) {
    anchor.close()
    throw error
  }
}

function settleTcp(anchor: OwnedFd): void {
  set(anchor, c.SO_REUSEPORT, 1)
  set(anchor, c.SO_REUSEADDR, 0)
}

/**
 * An anchor for a TCP listener that somebody else bound. Root can still join it: the port's own record keeps the uid of the first
 * bind. A UDP socket gets none, as an anchor that is bound later would get its datagrams.
 */
export function anchorBeside(listener: OwnedFd, address: InetAddress, options: SocketOptions): OwnedFd | undefined {
  if (address.type === 'udp') return undefined
  set(listener, c.SO_REUSEPORT, 1)
  const anchor = makeSocket(address, options)
  try {
    disown(anchor, ownerOf(listener))
    set(anchor, c.SO_REUSEPORT, 1)
    bind(anchor, address)
    settleTcp(anchor)
    return anchor
  } catch (error) {
    anchor.close()
    throw error
  }
}

/** Binds a socket that makeSocket() made beside its anchor, and beside the one that it replaces. */
export function bindBeside(
  anchor: OwnedFd,
  socket: OwnedFd,
  replaced: OwnedFd | undefined,
  address: InetAddress,
): void {
  const at = { ...address, port: boundPort(anchor) }
  disown(socket, ownerOf(anchor))
  if (address.type === 'udp') return bindUdpBeside(replaced ? [anchor, replaced, socket] : [anchor, socket], socket, at)
  for (const one of replaced ? [replaced, socket] : [socket]) set(one, c.SO_REUSEPORT, 1)
  bind(socket, at)
}

/**
 * Of sockets that are equally near, the one bound last gets the datagrams (udp_lib_get_port: hlist_add_head_rcu). SO_REUSEPORT
 * would share them out instead, so here SO_REUSEADDR lets them meet, and is off again at once.
 */
export function bindUdpBeside(all: readonly OwnedFd[], socket: OwnedFd, address: InetAddress): void {
  for (const one of all) set(one, c.SO_REUSEADDR, 1)
  try {
    bind(socket, address)
  } finally {
    for (const one of all) set(one, c.SO_REUSEADDR, 0)
  }
}
