import { randomBytes } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { addon, constants } from './addon.ts'
import { UserNotifyThread } from './notify-thread.ts'
import { OwnedFd } from './owned-fd.ts'
import { setInt } from './sockopt.ts'
import { check, SystemError } from './system-error.ts'
import { setPathOwner } from './unix-path.ts'

export interface NotifySender {
  pid: number
  uid: number
  gid: number
}

/** Others can pass through, but neither list nor write: a name in it is found only by who was told it. */
const DIRECTORY_MODE = 0o711
const NAME_BYTES = 12

export interface NotifyDirectoryOptions {
  /** The user that the broker becomes: the directory of one that was killed may be of that user. */
  owner?: number | undefined
  /** Names in it whose sockets live on. */
  kept?: ReadonlySet<string>
}

/** Makes the directory, or clears the one of a broker that was killed. For who has the control path's lock. */
export function prepareNotifyDirectory(directory: string, options: NotifyDirectoryOptions = {}): void {
  const { owner, kept = new Set() } = options
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const stats = lstatSync(directory)
    if (!stats.isDirectory() || (stats.uid !== process.geteuid!() && stats.uid !== owner)) {
      throw new Error(`${directory} is not a directory of uid ${process.geteuid!()}: remove it`)
    }
    // Whoever has a socket in it must go on reaching that.
    if (kept.size === 0) chmodSync(directory, 0o700)
    for (const name of readdirSync(directory)) if (!kept.has(name)) unlinkSync(join(directory, name))
  }
  chmodSync(directory, DIRECTORY_MODE)
}

export function releaseNotifyDirectory(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // Removed already, or a file of somebody else is in it.
  }
}

/** Where a worker sends sd_notify(3) messages to. Received on a thread of its user's; handled on the event loop. */
export class NotifySocket {
  readonly path: string
  readonly #thread: UserNotifyThread
  #fd: number

  /** In a directory that nobody else can write; only the user `uid` and root can send to it. Throws SystemError. */
  static open(
    directory: string,
    uid: number,
    gid: number,
    onMessage: (text: string, sender: NotifySender) => void,
  ): NotifySocket {
    const path = join(directory, randomBytes(NAME_BYTES).toString('base64url'))
    const type = constants.SOCK_DGRAM | constants.SOCK_NONBLOCK
    using socket = new OwnedFd(check(addon.socket(constants.AF_UNIX, type, 0), 'socket'))
    setInt(socket.fd, constants.SOL_SOCKET, constants.SO_PASSCRED, 1)
    check(addon.fchmod(socket.fd, 0o600), 'fchmod')
    check(addon.bind(socket.fd, constants.AF_UNIX, path, 0), 'bind')
    try {
      admit(path, uid, gid)
      const thread = UserNotifyThread.of(uid)
      thread.add(socket.fd, ({ text, pid, uid, gid }) => onMessage(text, { pid, uid, gid }))
      return new NotifySocket(path, thread, socket.release())
    } catch (error) {
      unlinkSync(path)
      throw error
    }
  }

  /** One that was open before a restart, with the messages that came meanwhile. Owns `socket`. Throws SystemError. */
  static adopt(
    path: string,
    uid: number,
    socket: OwnedFd,
    onMessage: (text: string, sender: NotifySender) => void,
  ): NotifySocket {
    const thread = UserNotifyThread.of(uid)
    thread.add(socket.fd, ({ text, pid, uid, gid }) => onMessage(text, { pid, uid, gid }))
    return new NotifySocket(path, thread, socket.release())
  }

  private constructor(path: string, thread: UserNotifyThread, fd: number) {
    this.path = path
    this.#thread = thread
    this.#fd = fd
  }

  /** Lent, to be kept beyond the end of this process. */
  get fd(): number {
    return this.#fd
  }

  /** Removes the path; the thread closes the socket, which may hold descriptors that nobody received. */
  close(): void {
    if (this.#fd < 0) return
    try {
      unlinkSync(this.path)
    } catch {
      // Removed already.
    }
    this.#thread.remove(this.#fd)
    this.#fd = -1
  }
}

/** A broker that may not give files away lets anybody send who knows the name: the sender of each message is known anyway. */
function admit(path: string, uid: number, gid: number): void {
  if (uid === process.geteuid!()) return
  try {
    setPathOwner(path, { mode: 0o600, uid, gid })
  } catch (error) {
    const code = error instanceof SystemError ? error.code : (error as NodeJS.ErrnoException).code
    if (code !== 'EPERM') throw error
    setPathOwner(path, { mode: 0o622, uid: undefined, gid: undefined })
  }
}
