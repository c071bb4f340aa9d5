import type { Stats } from 'node:fs'
import { addon, constants } from './addon.ts'
import { OwnedFd, openSpare } from './owned-fd.ts'
import { Poll, READABLE } from './poll.ts'
import { getInt, refuseRights, setInt } from './sockopt.ts'
import { check } from './system-error.ts'
import { isAbstract, lstat, refuseOtherFile, removePath, setPathOwner } from './unix-path.ts'

/** Connections wait here while the broker restarts; the kernel cuts it to net.core.somaxconn. */
const BACKLOG = 4096
/** Accepted in one turn of the event loop, so that a flood of connections does not keep the others' requests waiting. */
const BATCH = 64
/** A peer that does not read holds at most this much kernel memory. */
const SEND_BUFFER = 65536
const RETRY_MS = 100

const { EAGAIN, ECONNABORTED, EINTR, EMFILE, ENFILE, EPROTO } = constants.errno
const passing = new Set([ECONNABORTED, EINTR, EPROTO])

export interface ControlListenerOptions {
  /** Told when accepting stopped for want of descriptors or memory; it is tried again by the clock. */
  onExhausted?(errno: number): void
  /** Accepts nothing before resume(). */
  paused?: boolean
}

/** The control socket: accepts SEQPACKET connections, which inherit SO_PASSCRED and, where it exists, SO_PASSRIGHTS=0. */
export class ControlListener {
  readonly passRights: boolean
  readonly #socket: OwnedFd
  readonly #onConnection: (fd: OwnedFd) => void
  readonly #options: ControlListenerOptions
  readonly #poll: Poll
  /** Given up for a moment when the table is full, so that the peer at the head of the queue gets an end, not silence. */
  #spare: OwnedFd | undefined
  #retry: NodeJS.Timeout | undefined
  #paused = false
  #bound: { path: string; stats: Stats } | undefined

  /** A path whose directory is prepared, or `@name`. There is no moment of a mode wider than `mode`. */
  static listen(
    path: string,
    mode: number,
    onConnection: (fd: OwnedFd) => void,
    options: ControlListenerOptions = {},
  ): ControlListener {
    const type = constants.SOCK_SEQPACKET | constants.SOCK_NONBLOCK
    const socket = new OwnedFd(check(addon.socket(constants.AF_UNIX, type, 0), 'socket'))
    let bound: Stats | undefined
    try {
      check(addon.fchmod(socket.fd, mode), 'fchmod')
      const there = isAbstract(path) ? undefined : lstat(path)
      if (there) refuseOtherFile(path, there)
      check(addon.bind(socket.fd, constants.AF_UNIX, path, 0), `bind ${path}`)
      if (!isAbstract(path)) bound = lstat(path)
      if (bound) setPathOwner(path, { mode, uid: undefined, gid: undefined })
      const listener = new ControlListener(socket, onConnection, options)
      listener.#bound = bound && { path, stats: bound }
      return listener
    } catch (error) {
      if (bound) removePath(path, bound)
      socket.close()
      throw error
    }
  }

  /** Bound to that path, which is there still. */
  static isBoundTo(socket: OwnedFd, path: string): boolean {
    const name = addon.getsockname(socket.fd)
    return typeof name !== 'number' && name.text === path && lstat(path)?.isSocket() === true
  }

  /** Goes on with a socket that was kept; undefined, and the socket is left alone, when it is not the path's any more. */
  static adopt(
    socket: OwnedFd,
    path: string,
    mode: number,
    onConnection: (fd: OwnedFd) => void,
    options: ControlListenerOptions = {},
  ): ControlListener | undefined {
    const stats = lstat(path)
    if (stats === undefined || !ControlListener.isBoundTo(socket, path)) return undefined
    setPathOwner(path, { mode, uid: undefined, gid: undefined })
    const listener = new ControlListener(socket, onConnection, options)
    listener.#bound = { path, stats }
    return listener
  }

  /** Owns `socket`, bound or already listening (one that a keeper or systemd kept), from now on. */
  constructor(socket: OwnedFd, onConnection: (fd: OwnedFd) => void, options: ControlListenerOptions = {}) {
    this.#socket = socket
    this.#onConnection = onConnection
    this.#options = options
    setInt(socket.fd, constants.SOL_SOCKET, constants.SO_PASSCRED, 1)
    this.passRights = refuseRights(socket.fd)
    // Also on an adopted one: SO_PEERCRED tells clients who called listen() last.
    check(addon.listen(socket.fd, BACKLOG), 'listen')
    this.#spare = openSpare()
    this.#poll = new Poll(socket.fd, () => this.#acceptBatch())
    this.#paused = options.paused === true
    if (!this.#paused) this.#poll.start(READABLE)
  }

  get fd(): number {
    return this.#socket.fd
  }

  get listening(): boolean {
    return !this.#socket.closed && getInt(this.fd, constants.SOL_SOCKET, constants.SO_ACCEPTCONN) === 1
  }

  pause(): void {
    this.#paused = true
    if (!this.#socket.closed) this.#poll.stop()
  }

  resume(): void {
    this.#paused = false
    if (!this.#socket.closed && !this.#retry) this.#poll.start(READABLE)
  }

  /** Removes the path that `listen` bound, unless something else stands there by now. Before `close`. */
  removePath(): void {
    if (this.#bound) removePath(this.#bound.path, this.#bound.stats)
    this.#bound = undefined
  }

  /** Closes the descriptor; the path stays. */
  close(): void {
    if (this.#socket.closed) return
    clearTimeout(this.#retry)
    this.#poll.close()
    this.#spare?.close()
    this.#socket.close()
  }

  #acceptBatch(): void {
    for (let i = 0; i < BATCH && !this.#paused && !this.#socket.closed; i++) {
      const result = addon.accept(this.fd)
      if (result >= 0) this.#take(new OwnedFd(result))
      else if (-result === EAGAIN) return
      else if (!passing.has(-result)) {
        this.#exhausted(-result)
        return
      }
    }
  }

  #take(connection: OwnedFd): void {
    addon.setsockopt(connection.fd, constants.SOL_SOCKET, constants.SO_SNDBUF, SEND_BUFFER)
    this.#onConnection(connection)
  }

  #exhausted(errno: number): void {
    if (errno === EMFILE || errno === ENFILE) this.#shed()
    this.#poll.stop()
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#spare ??= openSpare()
      if (!this.#paused) this.#poll.start(READABLE)
    }, RETRY_MS)
    this.#options.onExhausted?.(errno)
  }

  #shed(): void {
    if (!this.#spare) return
    this.#spare.close()
    this.#spare = undefined
    const result = addon.accept(this.fd)
    if (result >= 0) new OwnedFd(result).closeLater()
    else this.#spare = openSpare()
  }
}
