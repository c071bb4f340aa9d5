import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { hasPidfs, inodeOf } from './pidfs.ts'
import { readProcess } from './proc.ts'
import { getBytes } from './sockopt.ts'
import { SystemError } from './system-error.ts'

/** The process that connected, by the kernel's word. It says who connected, not who writes. */
export interface Peer {
  pid: number
  uid: number
  gid: number
  /** Supplementary groups, as they were at connect(). */
  groups: number[]
  /** Undefined when the process is gone, or is in another pid namespace. The caller's to close. */
  pidfd: OwnedFd | undefined
  /** The same for the same process, and for no other of this boot; undefined when there is no pidfd. */
  identity: string | undefined
}

export interface PeerOptions {
  /** `open`: do without SO_PEERPIDFD, as on kernels before 6.5. */
  identify?: 'kernel' | 'open'
}

/** A uid has at most NGROUPS_MAX = 65536 groups. */
const GROUPS_MOST = 65536

/** Want of descriptors or memory is our own trouble, and must not look like a process that is gone. */
const exhausted = new Set([constants.errno.EMFILE, constants.errno.ENFILE, constants.errno.ENOMEM])

function groupsOf(fd: number): number[] {
  for (let room = 64; ; room *= 8) {
    const bytes = new Uint8Array(Math.min(room, GROUPS_MOST) * 4)
    const length = addon.getsockopt(fd, constants.SOL_SOCKET, constants.SO_PEERGROUPS, bytes)
    if (length >= 0) return [...new Uint32Array(bytes.buffer, 0, length / 4)]
    if (-length !== constants.errno.ERANGE || room >= GROUPS_MOST) throw new SystemError(-length, 'getsockopt')
  }
}

function kernelPidfd(fd: number): { pidfd: OwnedFd | undefined; known: boolean } {
  const bytes = new Int32Array(1)
  const result = addon.getsockopt(fd, constants.SOL_SOCKET, constants.SO_PEERPIDFD, new Uint8Array(bytes.buffer))
  if (result >= 0) return { pidfd: new OwnedFd(bytes[0]!), known: true }
  if (exhausted.has(-result)) throw new SystemError(-result, 'getsockopt SO_PEERPIDFD')
  return { pidfd: undefined, known: -result !== constants.errno.ENOPROTOOPT }
}

/** Between connect() and here the pid may have gone to another process: it must be of the same uid, and stay itself. */
function openedPidfd(pid: number, uid: number): OwnedFd | undefined {
  const before = readProcess(pid)
  if (before?.uid !== uid) return undefined
  const result = addon.pidfdOpen(pid)
  if (exhausted.has(-result)) throw new SystemError(-result, 'pidfd_open')
  if (result < 0) return undefined
  const pidfd = new OwnedFd(result)
  const after = readProcess(pid)
  if (after?.startTime === before.startTime && after.uid === uid && isAlive(pidfd)) return pidfd
  pidfd.close()
  return undefined
}

/** A living process of that user, by its number. Undefined when there is none; its pidfd is the caller's to close. */
export function processOf(pid: number, uid: number): Peer | undefined {
  const pidfd = openedPidfd(pid, uid)
  if (!pidfd) return undefined
  const gid = readProcess(pid)?.gid
  if (gid !== undefined && isAlive(pidfd)) return { pid, uid, gid, groups: [], pidfd, identity: identityOf(pid, pidfd) }
  pidfd.close()
  return undefined
}

/** A zombie is not alive: its pidfd is readable. */
export function isAlive(pidfd: OwnedFd): boolean {
  return addon.poll(pidfd.fd, constants.POLLIN) === 0
}

export function peerOf(fd: number, options: PeerOptions = {}): Peer {
  const credentials = getBytes(fd, constants.SOL_SOCKET, constants.SO_PEERCRED, 12)
  const [pid = 0, uid = 0, gid = 0] = new Uint32Array(credentials.buffer, 0, 3)
  const groups = groupsOf(fd)
  const kernel = options.identify === 'open' ? { pidfd: undefined, known: false } : kernelPidfd(fd)
  const pidfd = kernel.known || pid === 0 ? kernel.pidfd : openedPidfd(pid, uid)
  return { pid, uid, gid, groups, pidfd, identity: pidfd && identityOf(pid, pidfd) }
}

/** On pidfs (Linux 6.9) a pidfd's inode is its process's own; before, pid and start time must do. */
function identityOf(pid: number, pidfd: OwnedFd): string | undefined {
  const inode = inodeOf(pidfd.fd)
  if (inode !== undefined && hasPidfs()) return `pidfd:${inode}`
  const startTime = pid > 0 ? readProcess(pid)?.startTime : undefined
  return startTime !== undefined && isAlive(pidfd) ? `start:${pid}:${startTime}` : undefined
}
