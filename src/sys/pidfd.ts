import { constants as os } from 'node:os'
import { addon } from './addon.ts'
import type { ExitSet } from './exit-set.ts'
import { OwnedFd } from './owned-fd.ts'
import { isShortage } from './passing-errors.ts'
import { Poll, READABLE } from './poll.ts'
import { check } from './system-error.ts'

/** Sends through the pidfd, so never to a process that got the number afterwards. Throws ESRCH when it is over. */
export function signalProcess(pidfd: OwnedFd, name: NodeJS.Signals): void {
  check(addon.pidfdSignal(pidfd.fd, os.signals[name]), 'pidfd_send_signal')
}

/** Tells, once, that a process ended; also of one that had ended before. */
export class ProcessWatch {
  readonly #pidfd: OwnedFd
  readonly #exits: ExitSet
  readonly #place: number

  /** Owns `pidfd` from now on. `exits` outlives this. */
  constructor(pidfd: OwnedFd, exits: ExitSet, onExit: () => void) {
    this.#pidfd = pidfd
    this.#exits = exits
    this.#place = exits.add(pidfd.fd, onExit)
  }

  signal(name: NodeJS.Signals): void {
    signalProcess(this.#pidfd, name)
  }

  dup(): OwnedFd {
    return this.#pidfd.dup()
  }

  close(): void {
    if (this.#pidfd.closed) return
    this.#exits.remove(this.#pidfd.fd, this.#place)
    this.#pidfd.close()
  }
}

/** What is wanting for a watch, descriptors or memory, may be there then. */
const WATCH_AGAIN_MS = 50

/** Calls back once that process has ended, at once if it is not there. Keeps no process alive. */
export function watchProcess(pid: number, onExit: () => void): void {
  const opened = addon.pidfdOpen(pid)
  if (isShortage(-opened)) return void setTimeout(() => watchProcess(pid, onExit), WATCH_AGAIN_MS).unref()
  if (opened < 0) return onExit()
  const pidfd = new OwnedFd(opened)
  const poll = new Poll(pidfd.fd, () => {
    poll.close()
    pidfd.close()
    onExit()
  })
  poll.start(READABLE)
  poll.unref()
}
