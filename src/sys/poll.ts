import { addon, constants, type NativePoll } from './addon.ts'
import { check } from './system-error.ts'

export const READABLE = constants.UV_READABLE
export const WRITABLE = constants.UV_WRITABLE

export interface PollOptions {
  /** Leave O_NONBLOCK as it is. libuv sets it, and the open file description may be shared with blocking programs. */
  keepBlocking?: boolean
}

/**
 * Readiness of a descriptor that somebody else owns; close the Poll before the descriptor.
 * A status below 0 means that epoll reported an error and polling has stopped.
 */
export class Poll {
  readonly #native: NativePoll

  constructor(fd: number, callback: (status: number, events: number) => void, options: PollOptions = {}) {
    const nonblock = options.keepBlocking ? addon.nonblock(fd) : 1
    this.#native = new addon.Poll(fd, callback)
    if (nonblock === 0) addon.setNonblock(fd, 0)
  }

  start(events: number): void {
    check(this.#native.start(events), 'epoll_ctl')
  }

  stop(): void {
    this.#native.stop()
  }

  close(): void {
    this.#native.close()
  }

  ref(): void {
    this.#native.ref()
  }

  unref(): void {
    this.#native.unref()
  }
}
