// A killed process keeps its descriptors until its memory has been taken apart: some milliseconds for a Node.js worker. Its threads
// end before that, all but the last one, and are told of at once by their own pidfds (PIDFD_THREAD, Linux 6.9).
//
// That its threads end does not say that it was killed: they end by themselves too, and execve(2) ends all others. The proof is
// SIGKILL among the pending signals of the whole process, which nobody takes off again: once it is there, no thread comes back to
// its program. Under one lock the kernel puts it there and makes every thread handle it before that goes on in user mode, by
// waking or interrupting it (complete_signal() in kernel/signal.c); /proc is read under the same lock (task_sig() in
// fs/proc/array.c), thus after that. exit_group(2) and execve(2) mark threads alone (zap_other_threads()), and a process
// that may ignore SIGKILL (init of a pid namespace) never has it pending.
//
// All other ends are left to the pidfd of the process: a signal that dumps core stops the threads for as long as that takes, and
// whatever else ends a process does not differ here from what does not.

import { readdirSync } from 'node:fs'
import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { Poll, READABLE } from './poll.ts'

/** Any of them may be the last, which takes the memory apart, or wait for its turn on a busy processor. Each takes a descriptor. */
const THREADS_WATCHED = 16

interface Thread {
  fd: OwnedFd
  poll: Poll
}

/** Tells, once, that a process of several threads was killed (SIGKILL), before the kernel has closed what it had open. */
export class KillWatch {
  readonly #threads: Thread[] = []
  /** Its /proc/PID/status: an open one never becomes that of another process. */
  readonly #status: OwnedFd | undefined
  readonly #onKilled: () => void
  #told = false

  /** `pid` must be alive and not yet reaped: its pidfd is held, and was not readable. */
  constructor(pid: number, onKilled: () => void) {
    this.#onKilled = onKilled
    const status = addon.open(`/proc/${pid}/status`, constants.O_RDONLY, 0)
    if (status < 0) return
    this.#status = new OwnedFd(status)
    for (const tid of threadsOf(pid).slice(0, THREADS_WATCHED)) this.#watch(tid)
  }

  #watch(tid: number): void {
    const result = addon.pidfdOpenThread(tid)
    if (result < 0) return
    const fd = new OwnedFd(result)
    const poll = new Poll(fd.fd, () => {
      if (!this.#told) this.#tellIfKilled()
      if (!fd.closed) poll.stop()
    })
    poll.start(READABLE)
    this.#threads.push({ fd, poll })
  }

  #tellIfKilled(): void {
    if (addon.killPending(this.#status!.fd) !== 1) return
    this.#told = true
    this.#onKilled()
  }

  close(): void {
    this.#status?.close()
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
