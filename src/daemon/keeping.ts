// What the broker does about its keeper: starts as it is told to, hears it, and serves on without it when it has gone.

import { VERSION } from '../protocol/version.ts'
import { type ControlPath, findKeeper, type Keeper, type KeeperEvent, type Locker, SELF_LOCKER } from '../sys/index.ts'
import { KeptSignals } from './kept-signals.ts'
import type { Log } from './log.ts'
import type { Signals } from './signals.ts'

export const LOCK_KEY = '.lock'
export const CONTROL_KEY = '.control'

type UpgradeEvent = Extract<KeeperEvent, { type: 'prepared' | 'failed' | 'commit' }>

export class Keeping {
  readonly keeper: Keeper
  readonly signals: KeptSignals
  /** The broker is on its own: nobody starts another one. */
  gone = false
  /** Hears of the upgrade that this broker asked for. */
  onUpgrade: (event: UpgradeEvent) => void = () => {}
  private readonly log: Log
  private path: ControlPath | undefined
  private awaited: { type: KeeperEvent['type']; come(): void } | undefined

  constructor(keeper: Keeper, signals: Signals, log: Log) {
    this.keeper = keeper
    this.signals = new KeptSignals(signals)
    this.log = log
    const { role, lastPid, lastEnd, deaths } = keeper.hello
    if (role === 'again')
      log.warn({ died: lastPid, by: lastEnd, deaths }, 'the broker died; the keeper started this one')
    keeper.listen((event) => this.hear(event))
  }

  /** The lock is the keeper's, so that nobody else takes the path while no broker is there. */
  get locker(): Locker {
    return {
      lock: (file) => {
        this.keeper.put(LOCK_KEY, [file.fd])
        const answer = this.keeper.lock(LOCK_KEY)
        if (answer.errno !== 0) this.keeper.delete(LOCK_KEY)
        return answer
      },
    }
  }

  locked(path: ControlPath): void {
    this.path = path
  }

  /** The new broker of an upgrade: everything is loaded. Resolves when the one before has stopped, and all is to be taken. */
  prepared(): Promise<void> {
    this.keeper.prepared(findKeeper(), VERSION)
    return this.until('take')
  }

  /** All is taken: resolves when this is the broker, and the one before is none any more. */
  async takenOver(): Promise<void> {
    this.keeper.ready()
    await this.until('commit')
    this.keeper.committed()
  }

  private until(type: 'take' | 'commit'): Promise<void> {
    this.keeper.ref()
    return new Promise((resolve) => {
      this.awaited = {
        type,
        come: () => {
          this.keeper.unref()
          resolve()
        },
      }
    })
  }

  private hear(event: KeeperEvent): void {
    if (event.type === this.awaited?.type) {
      const { come } = this.awaited
      this.awaited = undefined
      return come()
    }
    switch (event.type) {
      case 'signal':
        return this.signals.passed(event.signal)
      case 'fault':
        return this.log.error(
          { key: event.key, err: event.error },
          'the keeper cannot keep this: it would be lost with the broker; see RLIMIT_NOFILE',
        )
      case 'behind':
        return this.behind(event.isBehind)
      case 'lost':
        return this.lost()
      case 'take':
        return
      default:
        this.onUpgrade(event)
    }
  }

  private behind(isBehind: boolean): void {
    const { pid } = this.keeper
    if (isBehind)
      this.log.error(
        { pid },
        'the keeper takes nothing, maybe stopped: what changes from now on would be lost with the broker',
      )
    else this.log.info({ pid }, 'the keeper has everything again')
  }

  private lost(): void {
    // A candidate without a keeper is nobody's.
    if (this.keeper.isCandidate) process.exit(1)
    this.gone = true
    const { pid } = this.keeper
    const errno = this.path ? SELF_LOCKER.lock(this.path.lock).errno : 0
    const lock = errno === 0 ? 'the broker has it now' : 'another process has it'
    this.log.error(
      { pid, lock },
      'the keeper has gone: the broker serves on, and nothing survives it from now on, so restart it soon',
    )
    this.onUpgrade({ type: 'failed', why: 'the keeper has gone' })
  }
}
