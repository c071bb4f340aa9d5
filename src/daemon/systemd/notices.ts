// What the service manager is told (sd_notify(3)), in order: its queue is short, and with many sockets it is full at times.

import { dupAll, notify, type OwnedFd } from '../../sys/index.ts'
import type { Log } from '../log.ts'

const RETRY_MS = 2

interface Notice {
  state: string
  fds: OwnedFd[]
}

export class Notices {
  readonly active: boolean
  private readonly log: Log
  private readonly variables: NodeJS.ProcessEnv
  private readonly queue: Notice[] = []
  private retry: NodeJS.Timeout | undefined
  /** Nothing is told before the broker serves: a start that fails has stored nothing. */
  private begun = false
  private failed = false

  constructor(variables: NodeJS.ProcessEnv, log: Log) {
    this.active = Boolean(variables['NOTIFY_SOCKET'])
    this.variables = variables
    this.log = log
  }

  begin(): void {
    this.begun = true
    this.flush()
  }

  /** Copies of `fds` go along. */
  send(state: string, fds: readonly number[] = []): void {
    if (!this.active) return
    this.queue.push({ state, fds: dupAll(fds) })
    if (this.begun && this.queue.length === 1) this.flush()
  }

  /** Resolves when everything has been taken. */
  async sent(): Promise<void> {
    while (this.queue.length > 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }

  private flush(): void {
    for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
      if (this.isFull(next)) {
        this.retry = setTimeout(() => this.flush(), RETRY_MS)
        return
      }
      this.queue.shift()
      for (const fd of next.fds) fd.close()
    }
  }

  /** Tries to send; a notice that fails for another reason is lost, which is said once. */
  private isFull({ state, fds }: Notice): boolean {
    let full = false
    notify(state, {
      env: this.variables,
      fds: fds.map(({ fd }) => fd),
      onError: (error) => {
        full = (error as NodeJS.ErrnoException).code === 'EAGAIN'
        if (full || this.failed) return
        this.failed = true
        this.log.warn({ err: error }, 'the service manager cannot be told; see NOTIFY_SOCKET')
      },
    })
    return full
  }

  close(): void {
    clearTimeout(this.retry)
    for (const { fds } of this.queue.splice(0)) for (const fd of fds) fd.close()
  }
}
