// What the service manager is told (sd_notify(3)), in order: its queue is short, and with many sockets it is full at times. Nothing is
// lost for want of descriptors or memory either.

import { setTimeout as sleep } from 'node:timers/promises'
import { dupAll, isPassing, isShortage, notify, type OwnedFd, openSpare, SystemError } from '../../sys/index.ts'
import type { Log } from '../log.ts'

const RETRY_MS = 2
/** Nobody says when there is a descriptor or memory again. */
const SHORTAGE_MS = 50

/** How long the end of the broker waits for all to be taken. */
const SENT_MS = 10_000

/** Of these only the last that waits is of use. */
const SUPERSEDING = /^(STATUS|WATCHDOG)=[^\n]*$/
/** What is stored, and what of that is removed, has an order of its own, in which the rest need not stand. */
const STORING = /^FDSTORE/

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
  private short = false
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
    if (!this.active || this.supersedes(state)) return
    this.queue.push({ state, fds: dupAll(fds) })
    if (this.begun && this.retry === undefined) this.flush()
  }

  /** Whether it has taken the place of one that waits: at the end of a long queue it would never be sent. */
  private supersedes(state: string): boolean {
    const [, kind] = SUPERSEDING.exec(state) ?? []
    const waiting = kind && this.queue.find((each) => SUPERSEDING.exec(each.state)?.[1] === kind)
    if (!waiting) return false
    waiting.state = state
    return true
  }

  /** Resolves when everything has been taken, or is lost: the service manager takes nothing, or this process can send it nothing. */
  async sent(): Promise<void> {
    for (const end = performance.now() + SENT_MS; this.queue.length > 0; await sleep(RETRY_MS)) {
      if (performance.now() < end) continue
      return this.log.error({ notices: this.queue.length }, 'the service manager has not been told all')
    }
  }

  /** What cannot be stored for want of descriptors or memory keeps nothing else waiting. */
  private flush(): void {
    this.retry = undefined
    let pause = 0
    for (const next of [...this.queue]) {
      const isStoring = STORING.test(next.state)
      if (pause > 0 && isStoring) continue
      const until = this.pauseAfter(next)
      if (until === 0) this.taken(next)
      else pause = until
      if (until === RETRY_MS || (until > 0 && !isStoring)) break
    }
    if (pause > 0) this.retry = setTimeout(() => this.flush(), pause)
  }

  private taken(notice: Notice): void {
    this.queue.splice(this.queue.indexOf(notice), 1)
    for (const fd of notice.fds) fd.close()
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
          if (pause === SHORTAGE_MS) this.tellShortage(error)
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

  private tellShortage(err: Error): void {
    if (!this.short) this.log.warn({ err }, 'the service manager cannot be told all now; it is tried again')
    this.short = true
  }

  close(): void {
    this.closed = true
    clearTimeout(this.retry)
    this.spare?.close()
    for (const { fds } of this.queue.splice(0)) for (const fd of fds) fd.close()
  }
}
