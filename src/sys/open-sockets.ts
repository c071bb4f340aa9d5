import { opendirSync, readlinkSync } from 'node:fs'
import { isAlive, type Peer } from './peer.ts'

/** A process may have a million descriptors, and reading them all would stop the event loop. Those it began with are the first. */
const LOOKED_AT_MOST = 4096

/** Inodes of the sockets that a process has open. Empty when it has ended, or when we may not look (ptrace(2)). */
export function openSocketsOf({ pid, pidfd }: Pick<Peer, 'pid' | 'pidfd'>): Set<number> {
  if (!pidfd || pidfd.closed) return new Set()
  const inodes = socketInodes(pid)
  return isAlive(pidfd) ? inodes : new Set()
}

function socketInodes(pid: number): Set<number> {
  const inodes = new Set<number>()
  try {
    using directory = disposable(`/proc/${pid}/fd`)
    for (let looked = 0; looked < LOOKED_AT_MOST; looked++) {
      const entry = directory.readSync()
      if (!entry) break
      const inode = socketBehind(`/proc/${pid}/fd/${entry.name}`)
      if (inode !== undefined) inodes.add(inode)
    }
  } catch {
    // It has ended, or is not ours to look into.
  }
  return inodes
}

function socketBehind(link: string): number | undefined {
  try {
    const digits = /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1]
    return digits === undefined ? undefined : Number(digits)
  } catch {
    return undefined
  }
}

function disposable(path: string) {
  const directory = opendirSync(path)
  return { readSync: () => directory.readSync(), [Symbol.dispose]: () => directory.closeSync() }
}
