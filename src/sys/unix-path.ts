import { createHash, randomInt } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  type Stats,
  unlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { check, SystemError } from './system-error.ts'

const { EACCES, ECONNREFUSED, ENOENT } = constants.errno

/** Of three digits to the base of 36. */
const NAMES = 36 ** 3
/** Others may have taken some. */
const ATTEMPTS = 16

const inBase36 = (number: number) => number.toString(36).padStart(3, '0')

export function isAbstract(path: string): boolean {
  return path.startsWith('@')
}

export const unlink = unlinkSync

/** A free path in the same directory, for a socket that is renamed to `path` later. It tells its `path` from the others there. */
export function pathBeside(path: string): string {
  for (let attempt = 1; ; attempt++) {
    const beside = join(dirname(path), `${markOf(path)}${inBase36(randomInt(NAMES))}`)
    if (attempt === ATTEMPTS || lstat(beside) === undefined) return beside
  }
}

/** All that stands beside `path` under such a name. */
export function besides(path: string): string[] {
  const directory = dirname(path)
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((each) => isBeside(each, path))
}

/** Whether `path` is what a socket may have now that was bound to `bound`: the kernel goes on telling the latter. */
export function isBeside(bound: string, path: string): boolean {
  return dirname(bound) === dirname(path) && basename(bound).length === 7 && basename(bound).startsWith(markOf(path))
}

/** A path and the user to whom its socket is given. */
export interface OwnPath {
  path: string
  user?: number | undefined
}

/**
 * Removes what a process that was killed between bind() and the end of a replacement has left beside one of `paths`: sockets of that name
 * that nothing is bound to, and second names of what the path leads to. Where that fails they stay: nobody looks for them.
 */
export function removeStrays(paths: Iterable<OwnPath>): void {
  const byMark = new Map<string, OwnPath[]>()
  for (const own of paths) {
    if (isAbstract(own.path)) continue
    const mark = join(dirname(own.path), markOf(own.path))
    byMark.set(mark, [...(byMark.get(mark) ?? []), own])
  }
  for (const directory of new Set([...byMark.keys()].map(dirname))) {
    try {
      for (const name of readdirSync(directory)) {
        const owners = name.length === 7 ? byMark.get(join(directory, name.slice(0, 4))) : undefined
        for (const own of owners ?? []) removeIfStray(join(directory, name), own)
      }
    } catch {
      // It has gone, or may not be read any more.
    }
  }
}

function removeIfStray(stray: string, own: OwnPath): void {
  const stats = ownSocket(stray, own)
  if (stats === undefined) return
  if (probePath(stray) === 'stale') return removePath(stray, stats)
  const now = lstat(own.path)
  if (now?.ino === stats.ino && now.dev === stats.dev) removePath(stray, stats)
}

function ownSocket(path: string, { user }: OwnPath): Stats | undefined {
  const stats = lstat(path)
  return stats?.isSocket() && (stats.uid === process.geteuid!() || stats.uid === user) ? stats : undefined
}

function markOf(path: string): string {
  const hash = createHash('sha256').update(basename(path)).digest().readUInt32LE()
  return `.${inBase36(hash % NAMES)}`
}

export function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

/** Makes the missing ones of a path's directories, with that very mode whatever the umask. Returns those made. */
export function makeDirectories(directory: string, mode: number): string[] {
  if (lstat(directory)) return []
  const made = makeDirectories(dirname(directory), mode)
  try {
    mkdirSync(directory, { mode: mode & 0o700 })
    made.push(directory)
    setDirectoryMode(directory, mode)
  } catch (error) {
    removeDirectories(made)
    throw error
  }
  return made
}

/** Of the one that was just made, not of what somebody who may write to the one above has put in its place. */
function setDirectoryMode(directory: string, mode: number): void {
  using file = openItself(directory, constants.O_DIRECTORY)
  if (statOf(file).uid !== process.geteuid!()) throw new Error(`${directory} was replaced as soon as it was made`)
  chmodSync(`/proc/self/fd/${file.fd}`, mode)
}

export function removeDirectories(made: readonly string[]): void {
  try {
    for (const directory of made.toReversed()) rmdirSync(directory)
  } catch {
    // Somebody uses it by now.
  }
}

/**
 * Whether a socket is bound to the path, without a connection that its owner would see: a datagram connect() is answered
 * EPROTOTYPE by a socket of another type, listening or not, and ECONNREFUSED only where no socket is behind the inode.
 */
export function probePath(path: string): 'bound' | 'stale' | 'absent' | 'denied' {
  using socket = new OwnedFd(check(addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0), 'socket'))
  const errno = -addon.connect(socket.fd, constants.AF_UNIX, path, 0)
  if (errno === ECONNREFUSED) return 'stale'
  if (errno === ENOENT) return 'absent'
  return errno === EACCES ? 'denied' : 'bound'
}

/** Refuses what is not a socket: it is somebody's file, and is never removed. */
export function refuseOtherFile(path: string, stats: Stats): void {
  if (stats.isSocket()) return
  const what = stats.isSymbolicLink() ? 'a symbolic link' : stats.isDirectory() ? 'a directory' : 'not a socket'
  throw new Error(`${path} is ${what}: remove it, or choose another path`)
}

export interface PathOwner {
  mode: number
  uid: number | undefined
  gid: number | undefined
}

/** Mode at bind(): nobody but the owner gets in before the path has its final owner. */
export function modeAtBind({ mode, uid, gid }: PathOwner): number {
  return uid === undefined && gid === undefined ? mode : mode & 0o600
}

/** What stands at the path itself, whatever is put there later. */
function openItself(path: string, flags = 0): OwnedFd {
  return new OwnedFd(check(addon.open(path, constants.O_PATH | constants.O_NOFOLLOW | flags, 0), 'open'))
}

export function statOf({ fd }: OwnedFd): Stats {
  return fstatSync(fd)
}

/**
 * The file of the socket that was just bound. Throws when it is not ours by now: who may write the directory could have any file's mode
 * and owner changed by putting it there. A socket that has another name as well may be anybody's.
 */
export function openBound(path: string): OwnedFd {
  const file = openItself(path)
  const stats = statOf(file)
  if (stats.isSocket() && stats.nlink === 1 && stats.uid === process.geteuid!()) return file
  file.close()
  throw new Error(`${path} was replaced as soon as it was bound: others may write to ${dirname(path)}`)
}

/**
 * Owner, and mode, which the umask may have cut. The user comes last: who has CAP_CHOWN may give a file away, but not change the mode of
 * another's.
 */
export function giveFile({ fd }: OwnedFd, { mode, uid, gid }: PathOwner): void {
  const file = `/proc/self/fd/${fd}`
  if (gid !== undefined) chownSync(file, -1, gid)
  chmodSync(file, mode)
  if (uid !== undefined) chownSync(file, uid, -1)
}

/** The same for a path that has its socket already. */
export function setPathOwner(path: string, owner: PathOwner): void {
  using file = openItself(path)
  const stats = statOf(file)
  if (!stats.isSocket() || stats.nlink !== 1) throw new Error(`${path} is not the socket that was bound to it any more`)
  giveFile(file, owner)
}

/**
 * Removes the path if it is still that inode. Before the socket is closed, while the number cannot be given again. It stays where that
 * fails, as where the directory is not ours because we gave up root: this process knows it again, and the next broker finds it stale.
 */
export function removePath(path: string, bound: Stats): void {
  let now: Stats | undefined
  try {
    now = lstat(path)
    if (now?.ino === bound.ino && now.dev === bound.dev) unlinkSync(path)
  } catch {
    // What is closed afterwards must be closed in any case.
    if (now !== undefined) left.set(path, now)
  }
}

/** The files of ours that could not be removed, by path. */
const left = new Map<string, Stats>()

/** Whether it is such a file still. Its number is another's only if its change is, too. */
export function isLeft(path: string, { ino, dev, ctimeMs }: Stats): boolean {
  const file = left.get(path)
  return file?.ino === ino && file.dev === dev && file.ctimeMs === ctimeMs
}

/** Errors of node:fs, which are ours where a system call was refused. */
export function asSystemError(error: unknown): unknown {
  if (error instanceof SystemError || !(error instanceof Error)) return error
  const { errno, syscall } = error as NodeJS.ErrnoException
  return errno !== undefined && syscall !== undefined ? new SystemError(-errno, syscall) : error
}
