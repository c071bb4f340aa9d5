import { addon, type NativeWatch } from './addon.ts'
import { Poll, READABLE } from './poll.ts'
import { check, SystemError } from './system-error.ts'

/** Hang-ups taken in one turn of the event loop. */
const TAKEN_MOST = 64

/**
 * Tells when a shared socket is shut. A thread of the addon hears of it, and a TCP listener listens again before this loop, which may
 * be busy, is told. The thread asks for hang-ups only: connections that come and are accepted by workers do not wake us; and
 * O_NONBLOCK stays as it is, which uv_poll_init() would set on the shared description.
 */
export class HangupWatch {
  private readonly watch: NativeWatch
  private readonly poll: Poll
  private readonly events = new Int32Array(2 * TAKEN_MOST)
  private readonly hungUp: (fd: number, reopened: boolean) => void

  constructor(hungUp: (fd: number, reopened: boolean) => void) {
    this.hungUp = hungUp
    const watch = addon.watchStart()
    if (typeof watch === 'number') throw new SystemError(-watch, 'pthread_create')
    this.watch = watch
    this.poll = new Poll(addon.watchWakeFd(watch), () => this.take())
    this.poll.start(READABLE)
    this.poll.unref()
  }

  /** `backlog`: of a TCP listener. */
  add(fd: number, backlog = -1): void {
    check(addon.watchAdd(this.watch, fd, backlog), 'epoll_ctl')
  }

  /** Before `fd` is closed. */
  remove(fd: number): void {
    addon.watchRemove(this.watch, fd)
  }

  private take(): void {
    const count = addon.watchTake(this.watch, this.events)
    for (let at = 0; at < count; at++) this.hungUp(this.events[2 * at]!, this.events[2 * at + 1] === 1)
  }

  close(): void {
    this.poll.close()
    addon.watchStop(this.watch)
  }
}
