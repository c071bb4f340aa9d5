// A socket that is not bound yet, and its bind(): what listeners and their anchors have in common.

import type { Address } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { addon, constants as c, type SocketName } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { setSocketOptions } from './socket-option-rows.ts'
import { setInt } from './sockopt.ts'
import { check, SystemError } from './system-error.ts'

/** What undoes the steps so far, should a later one fail. */
export type Undo = (() => void)[]

const kinds = {
  tcp: c.SOCK_STREAM,
  udp: c.SOCK_DGRAM,
  unix: c.SOCK_STREAM,
  'unix-dgram': c.SOCK_DGRAM,
  'unix-seqpacket': c.SOCK_SEQPACKET,
  vsock: c.SOCK_STREAM,
} as const

export function listens(address: Address): boolean {
  return kinds[address.type] !== c.SOCK_DGRAM
}

function nameOf(address: Address): SocketName {
  switch (address.type) {
    case 'tcp':
    case 'udp': {
      const family = address.family === 6 ? c.AF_INET6 : c.AF_INET
      const zone = address.zone === undefined ? '' : `%${address.zone}`
      return { family, text: address.host + zone, port: address.port }
    }
    case 'vsock': {
      const cid = address.cid === 'any' ? c.VMADDR_CID_ANY : address.cid
      return { family: c.AF_VSOCK, text: String(cid), port: address.port || c.VMADDR_PORT_ANY }
    }
    default:
      return { family: c.AF_UNIX, text: address.path, port: 0 }
  }
}

/** With the options that are set before bind(). SO_REUSEADDR on TCP, or connections of an earlier life would keep the port. */
export function makeSocket(address: Address, options: SocketOptions): OwnedFd {
  const socket = new OwnedFd(check(addon.socket(nameOf(address).family, kinds[address.type], 0), 'socket'))
  try {
    if (address.type === 'tcp') setInt(socket.fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1)
    setSocketOptions(socket.fd, address, options, 'before bind')
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

export function bind(fd: OwnedFd, address: Address): void {
  const { family, text, port } = nameOf(address)
  check(addon.bind(fd.fd, family, text, port), 'bind')
}

export function boundPort(fd: OwnedFd): number {
  const name = addon.getsockname(fd.fd)
  if (typeof name === 'number') throw new SystemError(-name, 'getsockname')
  return name.port
}
