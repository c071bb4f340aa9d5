import { addon, type NotifyDatagram, type NotifyThread } from './addon.ts'
import { Poll, READABLE } from './poll.ts'
import { SystemError } from './system-error.ts'

/** Taken in one turn of the event loop, so that a flood of datagrams does not keep requests waiting. */
const BATCH = 64

/**
 * Receives for the notify sockets of one user. A datagram can bring descriptors whose release blocks the thread for as long as its
 * sender likes; a user who does that delays only messages of the same user.
 */
export class UserNotifyThread {
  /** Datagrams that were too long, had no sender, or came faster than they were taken. Of all threads, ended ones too. */
  static get dropped(): number {
    let sum = past
    for (const one of running.values()) sum += addon.notifyDropped(one.#thread)
    return sum
  }

  /** The thread of that user; started by its first socket, ended with its last. */
  static of(uid: number): UserNotifyThread {
    return running.get(uid) ?? new UserNotifyThread(uid)
  }

  /**
   * From now on what comes stays in its socket, also for threads that are started meanwhile. False while a thread is still taking a
   * datagram: what it takes can be had by takeAll() once this is true.
   */
  static hold(): boolean {
    held = true
    let rest = true
    for (const one of running.values()) if (!addon.notifyHold(one.#thread, 1)) rest = false
    return rest
  }

  static resume(): void {
    held = false
    for (const one of running.values()) addon.notifyHold(one.#thread, 0)
  }

  /** Hands on everything that was received and not handed on yet. */
  static takeAll(): void {
    for (const one of [...running.values()]) one.#take(Number.POSITIVE_INFINITY)
  }

  readonly #uid: number
  readonly #thread: NotifyThread
  readonly #poll: Poll
  readonly #sinks = new Map<number, (datagram: NotifyDatagram) => void>()

  private constructor(uid: number) {
    const thread = addon.notifyStart()
    if (typeof thread === 'number') throw new SystemError(-thread, 'pthread_create')
    this.#uid = uid
    this.#thread = thread
    this.#poll = new Poll(addon.notifyWakeFd(thread), () => this.#take(BATCH))
    this.#poll.start(READABLE)
    if (held) addon.notifyHold(thread, 1)
    running.set(uid, this)
  }

  /** Owns `fd` once it has returned. */
  add(fd: number, sink: (datagram: NotifyDatagram) => void): void {
    const result = addon.notifyAdd(this.#thread, fd)
    if (result < 0) {
      this.#stopIfIdle()
      throw new SystemError(-result, 'epoll_ctl')
    }
    this.#sinks.set(fd, sink)
  }

  remove(fd: number): void {
    this.#sinks.delete(fd)
    addon.notifyRemove(this.#thread, fd)
    this.#stopIfIdle()
  }

  #stopIfIdle(): void {
    if (this.#sinks.size > 0) return
    running.delete(this.#uid)
    past += addon.notifyDropped(this.#thread)
    this.#poll.close()
    addon.notifyStop(this.#thread)
  }

  /** One at a time: a sink may close any socket, and with it the thread. What is left keeps the Poll readable. */
  #take(most: number): void {
    for (let taken = 0; taken < most && running.get(this.#uid) === this; taken++) {
      const datagram = addon.notifyTake(this.#thread)
      if (!datagram) return
      this.#sinks.get(datagram.fd)?.(datagram)
    }
  }
}

const running = new Map<number, UserNotifyThread>()
let past = 0
let held = false
