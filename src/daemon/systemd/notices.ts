// What the service manager is told (sd_notify(3)), in order: its queue is short, and with many sockets it is full at times. Nothing is
// lost for want of descriptors or memory either.

import { dupAll, isPassing, isShortage, notify, type OwnedFd, openSpare, SystemError } from '../../sys/index.ts'
import type { Log } from '../log.ts'

const RETRY_MS = 2
/** Nobody says when there is a descriptor or memory again. */
const SHORTAGE_MS = 50

/** Of these only the last that waits is of use. */
const SUPERSEDING = /^(STATUS|WATCHDOG)=[^\n]*$/

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
  /** Makes room for the socket that sends: a broker whose descriptor table is full must not seem dead to the watchdog. */
  private spare: OwnedFd | undefined
  private closed = false

  constructor(variables: NodeJS.ProcessEnv, log: Log) {
    this.active = Boolean(variables['NOTIFY_SOCKET'])
    this.variables = variables
    this.log = log
    if (this.active) this.spare = openSpare()
  }

  begin(): void {
    this.begun = true
    this.flush()
  }

  /** Copies of `fds` go along. */
  send(state: string, fds: readonly number[] = []): void {
    if (!this.active) return
    this.dropSuperseded(state)
    this.queue.push({ state, fds: dupAll(fds) })
    if (this.begun && this.retry === undefined) this.flush()
  }

  private dropSuperseded(state: string): void {
    const [, kind] = SUPERSEDING.exec(state) ?? []
    if (kind === undefined) return
    const at = this.queue.findIndex((waiting) => SUPERSEDING.exec(waiting.state)?.[1] === kind)
    if (at >= 0) this.queue.splice(at, 1)
  }

  /** Resolves when everything has been taken. */
  async sent(): Promise<void> {
    while (this.queue.length > 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }

  private flush(): void {
    this.retry = undefined
    for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
      const pause = this.pauseAfter(next)
      if (pause > 0) {
        this.retry = setTimeout(() => this.flush(), pause)
        return
      }
      this.queue.shift()
      for (const fd of next.fds) fd.close()
    }
  }

  /** Tries to send; answers when to try again. A notice that fails for good is lost, which is said once. */
  private pauseAfter({ state, fds }: Notice): number {
    let pause = 0
    this.spare?.close()
    notify(state, {
      env: this.variables,
      fds: fds.map(({ fd }) => fd),
      onError: (error) => {
        if (error instanceof SystemError && isPassing(error.errno)) {
          pause = isShortage(error.errno) ? SHORTAGE_MS : RETRY_MS
          return
        }
        if (this.failed) return
        this.failed = true
        this.log.warn({ err: error }, 'the service manager cannot be told; see NOTIFY_SOCKET')
      },
    })
    if (!this.closed) this.spare = openSpare()
    return pause
  }

  close(): void {
    this.closed = true
    clearTimeout(this.retry)
    this.spare?.close()
    for (const { fds } of this.queue.splice(0)) for (const fd of fds) fd.close()
  }
}
