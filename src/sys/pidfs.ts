// On pidfs (Linux 6.9) the inode of a pidfd is its process's own, never used again. Before, all pidfds share one anonymous inode.

import { addon } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'

let pidfs: boolean | undefined

export function hasPidfs(): boolean {
  pidfs ??= inodeOfProcess(process.pid) !== inodeOfProcess(process.ppid || 1)
  return pidfs
}

export function inodeOf(fd: number): number | undefined {
  const stat = addon.fstat(fd)
  return typeof stat === 'number' ? undefined : stat.ino
}

/** The inode of one's own pidfd (LISTEN_PIDFDID); undefined where it names nobody. */
export function ownPidfdId(): number | undefined {
  return hasPidfs() ? inodeOfProcess(process.pid) : undefined
}

function inodeOfProcess(pid: number): number | undefined {
  const result = addon.pidfdOpen(pid)
  if (result < 0) return undefined
  using pidfd = new OwnedFd(result)
  return inodeOf(pidfd.fd)
}
