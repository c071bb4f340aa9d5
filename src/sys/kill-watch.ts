// A killed process keeps its descriptors until its memory has been taken apart: some milliseconds for a Node.js worker. Its threads
// end before that, all but the last one, and are told of at once by their own pidfds (PIDFD_THREAD, Linux 6.9).

import { readdirSync } from 'node:fs'
import { addon } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { Poll, READABLE } from './poll.ts'
import { readText } from './proc.ts'

/** One may be the last, which takes the memory apart; several are not. */
const THREADS_WATCHED = 3

/** include/linux/sched.h: killed by a signal, its own or another thread's. */
const PF_SIGNALED = 0x400
const SIGKILL_PENDING = 1 << (9 - 1)

/**
 * Whether a signal has ended the process: its main thread will never run a line of its program again. A fatal signal marks all
 * threads in one step, under the lock of the process (complete_signal() in kernel/signal.c). False when only a thread has ended.
 */
export function isKilled(stat: string): boolean {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const flags = Number(fields[9 - 3])
  const pending = Number(fields[31 - 3])
  return (flags & PF_SIGNALED) !== 0 || (pending & SIGKILL_PENDING) !== 0
}

interface Thread {
  fd: OwnedFd
  poll: Poll
}

/** Tells, once, that a signal has ended a process of several threads, before the kernel has closed what it had open. */
export class KillWatch {
  readonly #threads: Thread[] = []

  /** `pid` must be alive and not yet reaped: its pidfd is held, and was not readable. */
  constructor(pid: number, onKilled: () => void) {
    for (const tid of threadsOf(pid).slice(0, THREADS_WATCHED)) {
      const result = addon.pidfdOpenThread(tid)
      if (result < 0) continue
      const fd = new OwnedFd(result)
      const poll = new Poll(fd.fd, () => {
        poll.stop()
        if (!isKilled(readText(`/proc/${pid}/stat`) ?? '')) return
        this.close()
        onKilled()
      })
      poll.start(READABLE)
      this.#threads.push({ fd, poll })
    }
  }

  close(): void {
    for (const { fd, poll } of this.#threads.splice(0)) {
      poll.close()
      fd.close()
    }
  }
}

/** Its main thread does not count: that is the process. */
function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map(Number)
      .filter((tid) => tid !== pid)
  } catch {
    return []
  }
}
