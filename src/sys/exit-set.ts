import { addon, constants as c } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { Poll, READABLE } from './poll.ts'
import { check } from './system-error.ts'

/** Ends told in one turn of the event loop. */
const TAKEN_MOST = 64

/**
 * Tells of the ends of many processes. Their pidfds are in one epoll instance, which libuv watches: a poll of its own for each would
 * cost seven system calls and two objects for every connection, and this costs two.
 */
export class ExitSet {
  private readonly epoll: OwnedFd
  private readonly poll: Poll
  private readonly ready = new Int32Array(TAKEN_MOST)
  /** By place: what is called. */
  private readonly calls: ((() => void) | undefined)[] = []
  private readonly free: number[] = []

  constructor() {
    this.epoll = new OwnedFd(check(addon.epollOpen(), 'epoll_create1'))
    this.poll = new Poll(this.epoll.fd, () => this.take())
    this.poll.start(READABLE)
    this.poll.unref()
  }

  /** Calls `onExit` once when that process has ended, never from within this. Answers its place, for remove(). */
  add(pidfd: number, onExit: () => void): number {
    const place = this.free.pop() ?? this.calls.length
    // A pidfd is readable from the moment when the whole thread group has ended (pidfd_open(2)).
    const added = addon.epollCtl(this.epoll.fd, c.EPOLL_CTL_ADD, pidfd, c.EPOLLIN | c.EPOLLONESHOT, place, 0)
    if (added < 0) this.free.push(place)
    check(added, 'epoll_ctl')
    this.calls[place] = onExit
    return place
  }

  /** Before the pidfd is closed: a copy of it elsewhere would keep it in the set. */
  remove(pidfd: number, place: number): void {
    addon.epollCtl(this.epoll.fd, c.EPOLL_CTL_DEL, pidfd, 0, 0, 0)
    this.calls[place] = undefined
    this.free.push(place)
  }

  private take(): void {
    const count = check(addon.epollTake(this.epoll.fd, this.ready), 'epoll_wait')
    // All of them before the first is called: it may remove another, whose place is then given again.
    const called = Array.from(this.ready.subarray(0, count), (place) => this.calls[place])
    for (const [index, call] of called.entries()) if (this.calls[this.ready[index]!] === call) call?.()
  }

  close(): void {
    this.poll.close()
    this.epoll.close()
  }
}
