import { addon } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { Poll, READABLE } from './poll.ts'
import { check } from './system-error.ts'

/** Hang-ups taken in one turn of the event loop. */
const TAKEN_MOST = 64

/**
 * Tells when a shared socket is shut. The sockets are in an epoll of their own, which asks for hang-ups only: connections that come
 * and are accepted by workers do not wake us, and O_NONBLOCK stays as it is, which uv_poll_init() would set on the shared description.
 */
export class HangupWatch {
  private readonly epoll: OwnedFd
  private readonly poll: Poll
  private readonly fds = new Int32Array(TAKEN_MOST)
  private readonly hungUp: (fd: number) => void

  constructor(hungUp: (fd: number) => void) {
    this.hungUp = hungUp
    this.epoll = new OwnedFd(check(addon.watchOpen(), 'epoll_create'))
    this.poll = new Poll(this.epoll.fd, () => this.take())
    this.poll.start(READABLE)
    this.poll.unref()
  }

  add(fd: number): void {
    check(addon.watchAdd(this.epoll.fd, fd), 'epoll_ctl')
  }

  /** Before `fd` is closed. */
  remove(fd: number): void {
    addon.watchRemove(this.epoll.fd, fd)
  }

  private take(): void {
    const count = addon.watchTake(this.epoll.fd, this.fds)
    for (let at = 0; at < count; at++) this.hungUp(this.fds[at]!)
  }

  close(): void {
    this.poll.close()
    this.epoll.close()
  }
}
