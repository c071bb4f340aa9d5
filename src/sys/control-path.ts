import { lstatSync, realpathSync, statSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { addon, constants, type FileStat } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { childrenOf, nameOf } from './proc.ts'
import { findSocketOwner } from './socket-owner.ts'
import { peerCredentials } from './sockopt.ts'
import { check, SystemError } from './system-error.ts'
import { isAbstract, lstat, makeDirectories, probePath, refuseOtherFile } from './unix-path.ts'

const { EACCES, EAGAIN, ELOOP } = constants.errno
const FILE_TYPE = 0o170000
const REGULAR = 0o100000
const STICKY = 0o1000
const GROUP_OR_OTHERS_WRITE = 0o022
const OTHERS_WRITE = 0o002
const LOCK_ATTEMPTS = 16
/** As /proc has it, cut off. */
const KEEPER_NAME = 'fd-broker-keepe'

export interface ControlPath {
  /**
   * A POSIX lock belongs to the process, and goes when the process closes *any* descriptor of the file: nobody else may
   * open it here.
   */
  lock: OwnedFd
  /** Directories that were not there before. */
  made: readonly string[]
}

/** Who takes the lock: this process, or a keeper on its behalf. */
export interface Locker {
  /** `errno` 0: locked. Else `holder` is the pid that has it, 0 if that cannot be known. */
  lock(file: OwnedFd): { errno: number; holder: number }
}

export const SELF_LOCKER: Locker = {
  lock({ fd }) {
    const errno = -addon.lock(fd)
    return { errno: Math.max(0, errno), holder: errno > 0 ? Math.max(0, addon.lockHolder(fd)) : 0 }
  },
}

function lockPath(path: string): string {
  return `${path}.lock`
}

/** Returns the directories that it made. */
function requireSafeDirectory(directory: string, owner: number | undefined): string[] {
  if (lstat(directory)?.isSymbolicLink() && !statSync(directory, { throwIfNoEntry: false })) {
    throw new Error(`${directory} is a symbolic link to nothing: make its target, or remove the link`)
  }
  const made = makeDirectories(directory, 0o755)
  const stats = statSync(directory)
  if (!stats.isDirectory()) throw new Error(`${directory} is not a directory: choose another control path`)
  const self = process.geteuid!()
  if (stats.uid !== 0 && stats.uid !== self && stats.uid !== owner) {
    throw new Error(
      `${directory} belongs to uid ${stats.uid}, who could replace the control socket: chown it to root or uid ${self}`,
    )
  }
  if (isOpen(directory, GROUP_OR_OTHERS_WRITE)) {
    throw new Error(`others may write to ${directory} and could replace the control socket: chmod go-w ${directory}`)
  }
  for (let above = realpathSync(directory); above !== '/'; ) {
    above = dirname(above)
    if (!isOpen(above, OTHERS_WRITE)) continue
    throw new Error(`others may write to ${above} and could replace ${directory} in it: chmod go-w ${above}`)
  }
  return made
}

/** In a sticky directory such as /tmp nobody can rename or remove what is not his. */
function isOpen(directory: string, writable: number): boolean {
  const { mode } = statSync(directory)
  return (mode & writable) !== 0 && (mode & STICKY) === 0
}

function openLock(path: string): OwnedFd {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const result = addon.open(path, flags, 0o600)
  if (result === -ELOOP) throw new Error(`${path} is a symbolic link: remove it`)
  return new OwnedFd(check(result, `open ${path}`))
}

function statOf(fd: OwnedFd): FileStat {
  const stat = addon.fstat(fd.fd)
  if (typeof stat === 'number') throw new SystemError(-stat, 'fstat')
  return stat
}

function isFileOf(path: string, file: OwnedFd): boolean {
  const stat = statOf(file)
  const now = lstat(path)
  return now !== undefined && now.ino === stat.ino && now.dev === stat.dev
}

/** False if the file is not the path's any more: a broker that exits cleanly unlinks it while it has the lock. */
function takeLock(lock: OwnedFd, path: string, control: string, locker: Locker): boolean {
  const stat = statOf(lock)
  if ((stat.mode & FILE_TYPE) !== REGULAR || stat.uid !== process.geteuid!()) {
    throw new Error(`${path} is not a regular file of uid ${process.geteuid!()}: remove it`)
  }
  const { errno, holder } = locker.lock(lock)
  if (errno === EAGAIN || errno === EACCES) {
    throw inUse(control, holder)
  }
  check(-errno, 'fcntl')
  return isFileOf(path, lock)
}

/** The lock is the keeper's, where there is one; clients and operators know the broker by its own pid. */
function inUse(control: string, holder: number): Error {
  const kept = holder > 0 && nameOf(holder)?.startsWith(KEEPER_NAME) === true
  const [broker] = kept ? childrenOf(holder) : [holder]
  const who = holder > 0 ? `pid ${broker ?? holder}` : 'of another pid namespace'
  const how = kept
    ? broker === undefined
      ? ', a keeper that is starting it'
      : `, under its keeper (pid ${holder})`
    : ''
  return new Error(`another broker (${who}) runs on ${control}${how}: end it, or choose another control path`)
}

function lockControl(control: string, locker: Locker): OwnedFd {
  const path = lockPath(control)
  for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
    const lock = openLock(path)
    try {
      if (takeLock(lock, path, control, locker)) return lock
    } catch (error) {
      lock.close()
      throw error
    }
    lock.close()
  }
  throw new Error(`${path} is replaced again and again: another program uses it; choose another control path`)
}

function answeringPid(path: string): number | undefined {
  const type = constants.SOCK_SEQPACKET | constants.SOCK_NONBLOCK
  using socket = new OwnedFd(check(addon.socket(constants.AF_UNIX, type, 0), 'socket'))
  if (addon.connect(socket.fd, constants.AF_UNIX, path, 0) < 0) return undefined
  return peerCredentials(socket.fd).pid
}

function removeStale(path: string): void {
  const stats = lstat(path)
  if (!stats) return
  refuseOtherFile(path, stats)
  const state = probePath(path)
  if (state === 'bound') {
    const pid = answeringPid(path) ?? findSocketOwner({ type: 'unix-seqpacket', path })?.pid
    throw new Error(
      `${pid ? `pid ${pid}` : 'another process'} answers on ${path}: stop it, or choose another control path`,
    )
  }
  if (state === 'denied' || lstatSync(path).uid !== process.geteuid!()) {
    throw new Error(`${path} belongs to uid ${stats.uid}: remove it, or choose another control path`)
  }
  unlinkSync(path)
}

export interface ControlPathOptions {
  /** The user that the broker will be, who may own the directory. */
  owner?: number | undefined
  locker?: Locker | undefined
  /** The listener of that path came from a service manager: the path stays as it is. */
  listening?: boolean
}

/**
 * Makes the path free to bind, for this process alone as long as it keeps the lock. Throws an Error that says what to do.
 */
export function prepareControlPath(path: string, options: ControlPathOptions = {}): ControlPath {
  const { owner, locker = SELF_LOCKER, listening = false } = options
  if (isAbstract(path) || !path.startsWith('/')) {
    throw new Error(`the control path ${path} is not absolute: anybody could take another kind of name before us`)
  }
  const made = requireSafeDirectory(dirname(path), owner)
  const lock = lockControl(path, locker)
  try {
    if (!listening) removeStale(path)
    return { lock, made }
  } catch (error) {
    remove(lockPath(path))
    lock.close()
    throw error
  }
}

/** Goes on with the lock that a keeper took for an earlier broker; undefined when it is not of this path any more. */
export function resumeControlPath(path: string, lock: OwnedFd): ControlPath | undefined {
  return isFileOf(lockPath(path), lock) ? { lock, made: [] } : undefined
}

/** The clean exit, after the listener removed its path: the lock file goes while the lock is held, so that it is no other broker's. */
export function releaseControlPath(path: string, { lock }: Pick<ControlPath, 'lock'>): void {
  remove(lockPath(path))
  lock.close()
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Removed already.
  }
}
