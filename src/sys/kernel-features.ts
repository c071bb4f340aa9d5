// What this kernel has of the things that the broker uses where it can, found by trying.

import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { hasPidfs } from './pidfs.ts'
import { refuseRights } from './sockopt.ts'
import { check } from './system-error.ts'

export function kernelFeatures(): { passRights: boolean; pidfs: boolean } {
  const { AF_UNIX, SOCK_SEQPACKET } = constants
  using socket = new OwnedFd(check(addon.socket(AF_UNIX, SOCK_SEQPACKET, 0), 'socket'))
  return { passRights: refuseRights(socket.fd), pidfs: hasPidfs() }
}
