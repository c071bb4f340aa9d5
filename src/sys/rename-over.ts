// A socket takes the path of another, which keeps a name of its own until that is settled: it can have its path back, and at every moment
// the path leads to the one or the other. Should this process be killed in between, whoever has the former one takes the path back.

import { linkSync, renameSync } from 'node:fs'
import { addon, constants } from './addon.ts'
import { fileOfUnix } from './figures.ts'
import type { OwnedFd } from './owned-fd.ts'
import { inodeOf } from './pidfs.ts'
import { SystemError } from './system-error.ts'
import * as unixPath from './unix-path.ts'

const { EINVAL, ENOENT, ENOSYS } = constants.errno

export interface Renamed {
  settle(): void
  undo(): void
}

/** Renames `beside` to `path`, where nothing or a socket is. Throws with nothing changed. */
export function renameOver(beside: string, path: string): Renamed {
  const stats = unixPath.lstat(path)
  if (stats !== undefined) unixPath.refuseOtherFile(path, stats)
  const former = stats && (exchange(beside, path) ?? linkAndRename(beside, path))
  if (former === undefined) {
    renameSync(beside, path)
    return { settle: () => {}, undo: () => {} }
  }
  return {
    settle: () => unixPath.removePath(former, stats!),
    undo: () => renameSync(former, path),
  }
}

/** Returns where the former one is now; undefined where there is none any more, or the file system cannot exchange names. */
function exchange(beside: string, path: string): string | undefined {
  const errno = -addon.exchange(beside, path)
  if (errno === 0) return beside
  if (errno === EINVAL || errno === ENOSYS || errno === ENOENT) return undefined
  throw new SystemError(errno, 'rename')
}

/** The same; undefined where it can have no second name, as another user's may not (proc_sys_fs(5), protected_hardlinks). */
function linkAndRename(beside: string, path: string): string | undefined {
  const former = unixPath.pathBeside(path)
  try {
    linkSync(path, former)
  } catch {
    return undefined
  }
  try {
    renameSync(beside, path)
    return former
  } catch (error) {
    unixPath.unlink(former)
    throw error
  }
}

/** The path of a socket that serves leads to one that died with a process which did not settle: it is renamed to its path again. */
export function takePathBack(path: string, { fd }: OwnedFd): void {
  if (unixPath.probePath(path) !== 'stale') return
  const inode = inodeOf(fd)
  const file = inode === undefined ? undefined : fileOfUnix(inode)
  if (file === undefined) return
  const own = unixPath.besides(path).find((beside) => (unixPath.lstat(beside)?.ino ?? -1) % 2 ** 32 === file)
  if (own !== undefined) renameSync(own, path)
}
