import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { isShortage } from './passing-errors.ts'
import { hasPidfs, inodeOf } from './pidfs.ts'
import { readProcess } from './proc.ts'
import { check, SystemError } from './system-error.ts'

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

/** One per thread: what the addon says of a peer, as native/peer.h has it. */
const words = new Int32Array(constants.PEER_LENGTH)
const unsigned = new Uint32Array(words.buffer)
const FIRST_GROUP = 8

function groupsOf(fd: number, length: number): number[] {
  if (length >= 0) return Array.from(unsigned.subarray(FIRST_GROUP, FIRST_GROUP + length / 4))
  if (-length !== constants.errno.ERANGE) throw new SystemError(-length, 'getsockopt SO_PEERGROUPS')
  const bytes = new Uint8Array(GROUPS_MOST * 4)
  const found = check(addon.getsockopt(fd, constants.SOL_SOCKET, constants.SO_PEERGROUPS, bytes), 'getsockopt')
  return Array.from(new Uint32Array(bytes.buffer, 0, found / 4))
}

/** Between connect() and here the pid may have gone to another process: it must be of the same uid, and stay itself. */
function openedPidfd(pid: number, uid: number): OwnedFd | undefined {
  const before = readProcess(pid)
  if (before?.uid !== uid) return undefined
  const result = addon.pidfdOpen(pid)
  if (isShortage(-result)) throw new SystemError(-result, 'pidfd_open')
  if (result < 0) return undefined
  return pidfdIf(new OwnedFd(result), (pidfd) => {
    const after = readProcess(pid)
    return after?.startTime === before.startTime && after.uid === uid && isAlive(pidfd)
  })
}

/** It is closed where that does not hold, and where it cannot be said, which is thrown. */
function pidfdIf(pidfd: OwnedFd, holds: (pidfd: OwnedFd) => boolean): OwnedFd | undefined {
  try {
    if (holds(pidfd)) return pidfd
  } catch (error) {
    pidfd.close()
    throw error
  }
  pidfd.close()
  return undefined
}

/** A living process of that user, by its number. Undefined when there is none; its pidfd is the caller's to close. */
export function processOf(pid: number, uid: number): Peer | undefined {
  const opened = openedPidfd(pid, uid)
  if (!opened) return undefined
  let facts: Pick<Peer, 'gid' | 'identity'> | undefined
  const pidfd = pidfdIf(opened, (one) => {
    const gid = readProcess(pid)?.gid
    if (gid !== undefined && isAlive(one)) facts = { gid, identity: identityOf(pid, one) }
    return facts !== undefined
  })
  return pidfd && { pid, uid, groups: [], pidfd, ...facts! }
}

/** The living process of that number, if it still is the one of that identity, whatever user it has become. */
function processWith(identity: string, pid: number): OwnedFd | undefined {
  const result = pid > 0 ? addon.pidfdOpen(pid) : -constants.errno.ESRCH
  if (isShortage(-result)) throw new SystemError(-result, 'pidfd_open')
  if (result < 0) return undefined
  return pidfdIf(new OwnedFd(result), (pidfd) => identityOf(pid, pidfd) === identity && isAlive(pidfd))
}

/**
 * Of a process of before a restart, by its identity: what was kept of it, if it is that one's, else one of the living process. Owns
 * `kept`, which may be of another: a lease is moved to another process after that one's pidfd is kept.
 */
export function pidfdWith(identity: string, pid: number, kept: OwnedFd | undefined): OwnedFd | undefined {
  if (kept !== undefined && hasPidfs() && `pidfd:${inodeOf(kept.fd)}` === identity) return kept
  kept?.close()
  return processWith(identity, pid)
}

/** A zombie is not alive: its pidfd is readable. Where the kernel cannot say, for want of memory, it is not taken for dead. */
export function isAlive(pidfd: OwnedFd): boolean {
  return addon.poll(pidfd.fd, constants.POLLIN) <= 0
}

/** Whether something can be written now without waiting. */
export function isWritable(fd: number): boolean {
  const events = addon.poll(fd, constants.POLLOUT)
  return events > 0 && (events & constants.POLLOUT) !== 0
}

export function peerOf(fd: number, { identify = 'kernel' }: PeerOptions = {}): Peer {
  check(addon.peer(fd, words), 'getsockopt SO_PEERCRED')
  const [pid, uid, gid, groupsLength] = [words[0]!, unsigned[1]!, unsigned[2]!, words[7]!]
  const inode = words[4] === 1 ? unsigned[6]! * 2 ** 32 + unsigned[5]! : undefined
  const told = kernelPidfd(words[3]!)
  let { pidfd } = told
  try {
    const groups = groupsOf(fd, groupsLength)
    if (identify !== 'open' && told.known)
      return { pid, uid, gid, groups, pidfd, identity: identityOf(pid, pidfd, inode) }
    pidfd?.close()
    pidfd = pid === 0 ? undefined : openedPidfd(pid, uid)
    return { pid, uid, gid, groups, pidfd, identity: identityOf(pid, pidfd) }
  } catch (error) {
    pidfd?.close()
    throw error
  }
}

/** `result`: the pidfd, or -errno. */
function kernelPidfd(result: number): { pidfd: OwnedFd | undefined; known: boolean } {
  if (result >= 0) return { pidfd: new OwnedFd(result), known: true }
  if (isShortage(-result)) throw new SystemError(-result, 'getsockopt SO_PEERPIDFD')
  return { pidfd: undefined, known: -result !== constants.errno.ENOPROTOOPT }
}

/** On pidfs (Linux 6.9) a pidfd's inode is its process's own; before, pid and start time must do. */
function identityOf(pid: number, pidfd: OwnedFd | undefined, known?: number): string | undefined {
  if (pidfd === undefined) return undefined
  const inode = known ?? inodeOf(pidfd.fd)
  if (inode !== undefined && hasPidfs()) return `pidfd:${inode}`
  const startTime = pid > 0 ? readProcess(pid)?.startTime : undefined
  return startTime !== undefined && isAlive(pidfd) ? `start:${pid}:${startTime}` : undefined
}
