import { constants as os } from 'node:os'
import { addon } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { Poll, READABLE } from './poll.ts'
import { check } from './system-error.ts'

/** Sends through the pidfd, so never to a process that got the number afterwards. Throws ESRCH when it is over. */
export function signalProcess(pidfd: OwnedFd, name: NodeJS.Signals): void {
  check(addon.pidfdSignal(pidfd.fd, os.signals[name]), 'pidfd_send_signal')
}

/** Tells, once, that a process ended; also of one that had ended before. */
export class ProcessWatch {
  readonly #pidfd: OwnedFd
  readonly #poll: Poll

  /** Owns `pidfd` from now on. */
  constructor(pidfd: OwnedFd, onExit: () => void) {
    this.#pidfd = pidfd
    // A pidfd is readable from the moment when the whole thread group has ended (pidfd_open(2)).
    this.#poll = new Poll(pidfd.fd, () => {
      this.#poll.stop()
      onExit()
    })
    this.#poll.start(READABLE)
  }

  signal(name: NodeJS.Signals): void {
    signalProcess(this.#pidfd, name)
  }

  dup(): OwnedFd {
    return this.#pidfd.dup()
  }

  ref(): void {
    this.#poll.ref()
  }

  unref(): void {
    this.#poll.unref()
  }

  close(): void {
    this.#poll.close()
    this.#pidfd.close()
  }
}

/** Calls back once that process has ended, at once if it is not there. Keeps no process alive. */
export function watchProcess(pid: number, onExit: () => void): void {
  const pidfd = addon.pidfdOpen(pid)
  if (pidfd < 0) return onExit()
  const watch = new ProcessWatch(new OwnedFd(pidfd), () => {
    watch.close()
    onExit()
  })
  watch.unref()
}
