import { dirname } from 'node:path'
import { type Address, formatAddress, type InetAddress, type UnixAddress } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { addon, constants as c } from './addon.ts'
import { AddressInUse } from './address-in-use.ts'
import { bindBeside, bindUdpBeside, openAnchor } from './anchor.ts'
import { bindUnix } from './bind-unix.ts'
import { bind, boundPort, listens, makeSocket, type Undo } from './make-socket.ts'
import type { OwnedFd } from './owned-fd.ts'
import { requireApplicable, setSocketOptions } from './socket-option-rows.ts'
import { describeOwner, findSocketOwner } from './socket-owner.ts'
import { socketCookie } from './sockopt.ts'
import { check, SystemError } from './system-error.ts'
import * as unixPath from './unix-path.ts'

const { EACCES, EADDRINUSE, EADDRNOTAVAIL, ENODEV, EPERM } = c.errno

export interface BoundSocket {
  readonly fd: OwnedFd
  /** What keeps the port of a TCP or UDP socket; see anchor.ts. */
  readonly anchor: OwnedFd | undefined
  /** With the real port. */
  readonly address: Address
  readonly cookie: string
  /** Who had it before this process: an earlier broker and its workers, or a service manager, which has set its options. */
  readonly origin?: 'kept' | 'passed'
  /** It is bound nowhere, and keeps the place of one that cannot be had. */
  readonly unbound?: true
  /** Also removes the path, if it is still the one that was bound, and the directories made for it that are empty now. */
  close(): void
  /** Closes the descriptors alone: another process goes on with it. */
  leave(): void
}

/** Another process may take the port between the kernel's choice and our explicit bind. */
const PORT_ATTEMPTS = 16

function bindPort<A extends Address>(address: A, options: SocketOptions): { socket: OwnedFd; address: A } {
  const socket = makeSocket(address, options)
  try {
    bind(socket, address)
    return { socket, address }
  } catch (error) {
    socket.close()
    throw error
  }
}

/** A port of the kernel's choice is bound again by its number: a listener that was shut keeps only an explicit port. */
function bindAnyPort<A extends Exclude<Address, UnixAddress>>(address: A, options: SocketOptions) {
  for (let attempt = 1; ; attempt++) {
    const { socket } = bindPort(address, options)
    const port = boundPort(socket)
    socket.close()
    try {
      return bindPort({ ...address, port }, options)
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== EADDRINUSE || attempt === PORT_ATTEMPTS) throw error
    }
  }
}

interface Bound {
  socket: OwnedFd
  /** With the real port. */
  address: Address
  anchor?: OwnedFd | undefined
  remove?: () => void
}

/** What a new socket takes the place of. Both are there for a while, and its port is free at no moment. */
export type Replaced = Pick<BoundSocket, 'fd' | 'anchor'>

function bindInet(address: InetAddress, options: SocketOptions, replaced: Replaced | undefined, undo: Undo): Bound {
  const anchor = replaced ? replaced.anchor?.dup() : openAnchor(address, options)
  if (!anchor && !replaced) return address.port === 0 ? bindAnyPort(address, options) : bindPort(address, options)
  undo.push(() => anchor?.close())
  const socket = makeSocket(address, options)
  undo.push(() => socket.close())
  if (!anchor) {
    bindUdpBeside([replaced!.fd, socket], socket, address)
    return { socket, address }
  }
  bindBeside(anchor, socket, replaced?.fd, address)
  return { socket, address: { ...address, port: boundPort(anchor) }, anchor }
}

function bindAddress(address: Address, options: SocketOptions, replaced: Replaced | undefined, undo: Undo): Bound {
  if ('path' in address) return { ...bindUnix(address, options, undo), address }
  if (address.type === 'vsock') return address.port === 0 ? bindAnyPort(address, options) : bindPort(address, options)
  return bindInet(address, options, replaced, undo)
}

function open(
  address: Address,
  options: SocketOptions,
  backlog: number,
  replaced: Replaced | undefined,
  undo: Undo,
): BoundSocket {
  requireApplicable(options, address)
  const inet = address.type === 'tcp' || address.type === 'udp'
  const settled: SocketOptions = inet ? { ...options, bindIpv6Only: options.bindIpv6Only ?? 'both' } : options
  const { socket, remove, address: bound, anchor } = bindAddress(address, settled, replaced, undo)
  undo.push(() => socket.close())
  setSocketOptions(socket.fd, address, settled, 'after bind')
  if (listens(address)) check(addon.listen(socket.fd, backlog), 'listen')
  return {
    fd: socket,
    anchor,
    address: bound,
    cookie: socketCookie(socket.fd),
    ...ends(socket, anchor, remove),
  }
}

/** How a socket ends; `remove` is called while it is open still. */
export function ends(
  fd: OwnedFd,
  anchor: OwnedFd | undefined,
  remove?: () => void,
): Pick<BoundSocket, 'close' | 'leave'> {
  const leave = () => {
    fd.close()
    anchor?.close()
  }
  const close = () => {
    if (!fd.closed) remove?.()
    leave()
  }
  return { close, leave }
}

/** What the reader can do about it. */
function adviceFor(errno: number, syscall: string, address: Address): string {
  if (errno === EACCES && 'family' in address && address.port < 1024) {
    return '; ports below 1024 need CAP_NET_BIND_SERVICE'
  }
  if ('path' in address && (syscall === 'bind' || syscall === 'rename') && (errno === EACCES || errno === EPERM)) {
    return `; uid ${process.geteuid!()} may not write to ${dirname(address.path)}: give it that directory, or run the broker as root`
  }
  if ('path' in address && syscall === 'connect' && errno === EACCES) {
    return `; what stands there may be in use, and is not for uid ${process.geteuid!()}: remove it, or give it to that user`
  }
  if (errno === EADDRNOTAVAIL && address.type === 'vsock')
    return `; this machine does not have that context id: vsock://any:${address.port} takes each that it has`
  if (errno === EADDRNOTAVAIL) return '; no interface has this address: with free_bind it is bound all the same'
  if (errno === ENODEV) return '; there is no such interface'
  if (errno === EPERM && syscall === 'setsockopt') return '; it needs CAP_NET_ADMIN'
  if (errno === EPERM && syscall.includes('chown')) return '; it needs CAP_CHOWN'
  return ''
}

function explain(error: unknown, address: Address): unknown {
  const name = formatAddress(address)
  const cause = unixPath.asSystemError(error)
  if (!(cause instanceof SystemError)) return new Error(`${name}: ${cause instanceof Error ? cause.message : cause}`)
  const { errno, syscall, message } = cause
  if (errno === EADDRINUSE) {
    const owner = findSocketOwner(address)
    return new AddressInUse(owner, syscall, `${name} is in use by ${describeOwner(owner)}: ${message}`)
  }
  return new SystemError(errno, syscall, `${name}: ${message}${adviceFor(errno, syscall, address)}`)
}

/**
 * Binds an address with its options, and listens where the type listens. When a step fails, everything made so far is
 * undone, and the error names the address, the step or option, and the reason. `replaced`: the socket of the
 * same address that this one takes the place of.
 */
export function openSocket(
  address: Address,
  options: SocketOptions,
  backlog: number,
  replaced?: Replaced,
): BoundSocket {
  const undo: Undo = []
  try {
    return open(address, options, backlog, replaced, undo)
  } catch (error) {
    const explained = explain(error, address)
    for (const step of undo.toReversed()) step()
    throw explained
  }
}

/** A socket of the address's kind that is bound nowhere: it keeps the place of one that cannot be had. */
export function unboundSocket(address: Address): BoundSocket {
  const fd = makeSocket(address, {})
  return { fd, anchor: undefined, address, cookie: socketCookie(fd.fd), unbound: true, ...ends(fd, undefined) }
}
