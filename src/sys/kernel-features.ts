// What this kernel has of the things that the broker uses where it can, found by trying.

import { addon, constants } from './addon.ts'
import { holdersMayFilter } from './filter-lock.ts'
import { OwnedFd } from './owned-fd.ts'
import { hasPidfs } from './pidfs.ts'
import { refuseRights } from './sockopt.ts'
import { check } from './system-error.ts'

export interface KernelFeatures {
  passRights: boolean
  pidfs: boolean
  /** Only CAP_NET_ADMIN attaches a filter to a TCP socket. */
  guardedFilters: boolean
}

export function kernelFeatures(): KernelFeatures {
  const { AF_UNIX, SOCK_SEQPACKET } = constants
  using socket = new OwnedFd(check(addon.socket(AF_UNIX, SOCK_SEQPACKET, 0), 'socket'))
  return { passRights: refuseRights(socket.fd), pidfs: hasPidfs(), guardedFilters: !holdersMayFilter() }
}
