// The service manager over the broker's life: ready, reloading, stopping, a line of status, and the watchdog.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ownUnit } from '../../sys/index.ts'
import type { Log } from '../log.ts'
import { Notices } from './notices.ts'

const STATUS_EVERY_MS = 1000
const SYSTEMCTL_LIMIT_MS = 5000

export class ServiceManager {
  readonly notices: Notices
  private readonly variables: NodeJS.ProcessEnv
  private readonly timers: NodeJS.Timeout[] = []
  private said = ''
  private storing: Promise<boolean> | undefined

  constructor(variables: NodeJS.ProcessEnv, log: Log) {
    this.variables = variables
    this.notices = new Notices(variables, log)
  }

  /** `status` is asked again and again: `systemctl status` shows what it says. `keeper`: the pid that the watchdog may mean. */
  ready(status: () => string, keeper?: number): void {
    this.notices.begin()
    if (!this.notices.active) return
    void this.storesDescriptors()
    this.said = status()
    this.notices.send(`READY=1\nSTATUS=${this.said}`)
    this.every(STATUS_EVERY_MS, () => {
      const now = status()
      if (now === this.said) return
      this.said = now
      this.notices.send(`STATUS=${now}`)
    })
    const watchdog = this.watchdogMs(keeper)
    if (watchdog === undefined) return
    this.notices.send('WATCHDOG=1')
    this.every(watchdog / 2, () => this.notices.send('WATCHDOG=1'))
  }

  /** Pair with reloaded(). */
  reloading(): void {
    this.notices.send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  }

  reloaded(): void {
    this.notices.send('READY=1')
  }

  stopping(): void {
    this.notices.send('STOPPING=1')
  }

  /**
   * Whether what is stored comes back at the next start. systemd 254 says so by $FDSTORE; an older one is asked, once: with
   * FileDescriptorStoreMax=0, the default, it takes nothing, and does not tell.
   */
  storesDescriptors(): Promise<boolean> {
    this.storing ??= this.notices.active
      ? storesFor(this.variables).catch(() => this.unknown())
      : Promise.resolve(false)
    return this.storing
  }

  /** It could not be asked, for want of descriptors maybe: the next one who wants to know asks again. */
  private unknown(): boolean {
    this.storing = undefined
    return false
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer)
    this.notices.close()
  }

  private every(milliseconds: number, act: () => void): void {
    const timer = setInterval(act, milliseconds)
    timer.unref()
    this.timers.push(timer)
  }

  /** WatchdogSec= of the unit; sd_watchdog_enabled(3). The broker speaks for its keeper, which is the unit's main process. */
  private watchdogMs(keeper: number | undefined): number | undefined {
    const { WATCHDOG_USEC, WATCHDOG_PID } = this.variables
    if (!/^\d{1,15}$/.test(WATCHDOG_USEC ?? '') || Number(WATCHDOG_USEC) === 0) return undefined
    const meant = WATCHDOG_PID === undefined || [process.pid, keeper].some((pid) => String(pid) === WATCHDOG_PID)
    return meant ? Number(WATCHDOG_USEC) / 1000 : undefined
  }
}

async function storesFor({ FDSTORE }: NodeJS.ProcessEnv): Promise<boolean> {
  if (FDSTORE !== undefined) return Number(FDSTORE) > 0
  const unit = ownUnit()
  if (unit === undefined) return false
  const user = unit.user ? ['--user'] : []
  const words = [...user, 'show', '--property=FileDescriptorStoreMax', '--value', '--', unit.name]
  const { stdout } = await promisify(execFile)('systemctl', words, { timeout: SYSTEMCTL_LIMIT_MS })
  return Number(stdout) > 0
}
