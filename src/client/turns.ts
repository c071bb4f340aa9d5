// A socket was replaced while this process listens on it. The numbers that its servers use show the new one from now on, and
// the former one for as long as something waits in its queue: a server notices neither, and nobody who queued is forgotten.

import { type OwnedFd, Poll, READABLE, readinessOf, socketCookie, swapDescriptor } from '../sys/index.ts'

interface Former {
  readonly fd: OwnedFd
  readonly poll: Poll
  quietSince: number
}

const LOOK_MS = 100
/** While something waits: the server accepts all of it in one turn of the loop. */
const BUSY_LOOK_MS = 1

export class Turns {
  #numbers: readonly number[]
  #current: OwnedFd
  #formers: Former[] = []
  #epolls: readonly number[] = []
  #look: NodeJS.Timeout | undefined

  /** `numbers`: belong to others, who may close them at any time. `current` is what they show: a copy of our own. */
  constructor(numbers: readonly number[], current: OwnedFd) {
    this.#numbers = numbers
    this.#current = current
  }

  /**
   * `next`: a copy of our own. `quiet`: milliseconds in which nobody came to the former one, after which nobody will. `epolls`: those
   * of this process.
   */
  succeed(next: OwnedFd, quiet: number, epolls: readonly number[]): void {
    const fd = this.#current
    const poll = new Poll(fd.fd, () => this.#choose(quiet), { keepBlocking: true })
    poll.unref()
    this.#current = next
    this.#epolls = epolls
    this.#formers.push({ fd, poll, quietSince: performance.now() })
    this.#choose(quiet)
  }

  close(): void {
    clearTimeout(this.#look)
    for (const former of this.#formers.splice(0)) retire(former)
    this.#current.close()
  }

  /** Where the table is full the numbers cannot be swapped: they show what they show, until there is a descriptor to look with. */
  #choose(quiet: number): void {
    clearTimeout(this.#look)
    let pause = LOOK_MS
    try {
      pause = this.#take(quiet)
    } catch {
      for (const { poll } of this.#formers) poll.stop()
    }
    if (this.#formers.length > 0) this.#look = setTimeout(() => this.#choose(quiet), pause).unref()
  }

  /** Returns when to look again, in milliseconds. */
  #take(quiet: number): number {
    const now = performance.now()
    let due: OwnedFd | undefined
    const over: Former[] = []
    for (const former of this.#formers) {
      const readiness = readinessOf(former.fd.fd)
      if (readiness === 'readable') former.quietSince = now
      if (readiness === 'readable') due ??= former.fd
      else if (readiness === 'ended' || now - former.quietSince >= quiet) over.push(former)
    }
    this.#show(due ?? this.#current)
    for (const former of over) retire(former)
    this.#formers = this.#formers.filter((former) => !over.includes(former))
    for (const { poll } of this.#formers) due ? poll.stop() : poll.start(READABLE)
    return due ? BUSY_LOOK_MS : LOOK_MS
  }

  /** A number that shows neither of ours has been closed, and may be anybody's by now. */
  #show(wanted: OwnedFd): void {
    const ours = new Set([this.#current, ...this.#formers.map(({ fd }) => fd)].map(({ fd }) => cookieOf(fd)))
    const cookie = cookieOf(wanted.fd)
    this.#numbers = this.#numbers.filter((number) => ours.has(cookieOf(number)))
    for (const number of this.#numbers) {
      if (cookieOf(number) !== cookie) swapDescriptor(wanted.fd, number, this.#epolls)
    }
  }
}

function retire({ poll, fd }: Former): void {
  poll.close()
  fd.close()
}

/** Undefined for what is closed, or is no socket. */
function cookieOf(fd: number): string | undefined {
  try {
    return socketCookie(fd)
  } catch {
    return undefined
  }
}
