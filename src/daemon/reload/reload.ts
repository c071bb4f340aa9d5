// A reload: read, compare, open what is new, and only when nothing can fail any more change what serves.

import { chmodSync, statSync } from 'node:fs'
import { hasHolder, type Registry } from '../../core/registry.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { applyConfig, type ConfiguredHost } from '../apply-config.ts'
import { type Fault, formatFaults } from '../config/fault.ts'
import type { Config, NameModel } from '../config/model.ts'
import { type ConfigResult, placed } from '../config/read-config.ts'
import type { Guard } from '../guard.ts'
import type { Occurrence } from '../history.ts'
import type { Log } from '../log.ts'
import type { Replacements } from '../replacements.ts'
import type { Sockets } from '../sockets.ts'
import { type Changes, diffConfig, restartKeys } from './diff-config.ts'
import { type Current, type Leaving, SocketPlan, undoAll } from './plan-sockets.ts'
import { portsInUse } from './ports-in-use.ts'

export type ReloadResult =
  | { changes: Changes; warnings: readonly Fault[] }
  | { code: ErrorCode; message: string; faults: readonly Fault[] }

/** What a reload changes of the broker. */
export interface ReloadHost extends ConfiguredHost {
  readonly registry: Registry
  readonly sockets: Sockets
  readonly replacements: Replacements
  readonly guard: Guard
  occurred(occurrence: Occurrence): void
}

interface Given {
  plan: SocketPlan
  leaving: readonly Leaving[]
  before: ReadonlyMap<string, Current>
}

/** Reads the file again. */
export type ReadConfig = () => ConfigResult

export class Reloader {
  private readonly broker: ReloadHost
  private readonly read: ReadConfig
  private readonly log: Log

  constructor(broker: ReloadHost, read: ReadConfig, log: Log) {
    this.broker = broker
    this.read = read
    this.log = log
  }

  /** A refusal has changed nothing. */
  run({ dryRun }: { dryRun: boolean }): ReloadResult {
    const result = this.attempt(dryRun)
    if ('code' in result) this.log.error({ code: result.code, why: result.message }, 'reload refused')
    return result
  }

  private attempt(dryRun: boolean): ReloadResult {
    const read = this.read()
    if ('faults' in read) return refusal(read.faults)
    const { config } = this.broker
    const changes = diffConfig(config, read.config)
    const fixed = restartKeys(changes).map((key) => placed(read.config, key, RESTART))
    if (fixed.length > 0) return refusal(fixed)
    const current = this.broker.sockets.current()
    const claimed = portsInUse(current, read.config)
    if (claimed.length > 0) return refusal(claimed)
    if (dryRun) return { changes, warnings: read.warnings }
    const plan = new SocketPlan(current, changes.unchanged, this.broker.replacements.leaving.all())
    const { control, controlMode } = config.broker
    let leaving: Leaving[]
    try {
      plan.open(this.namesToOpen(changes, read.config))
      plan.change(
        () => setMode(control, read.config.broker.controlMode),
        () => setMode(control, controlMode),
      )
      leaving = this.giveNames(plan, current)
    } catch (error) {
      return { code: 'SYSTEM', message: (error as Error).message, faults: [] }
    }
    this.commit(changes, read.config, { plan, leaving, before: current })
    return { changes, warnings: read.warnings }
  }

  /** A name that was removed and has not drained yet is the same name when it comes back, and its options may differ. */
  private namesToOpen({ added, changed }: Changes, next: Config): NameModel[] {
    return [...added, ...changed.map(({ name }) => name)].map((name) => next.names.get(name)!)
  }

  /** Each name has the sockets of the plan, and the old ones are to leave. Throws with everything as it was, the plan too. */
  private giveNames(plan: SocketPlan, before: ReadonlyMap<string, Current>): Leaving[] {
    const { guard, replacements, sockets } = this.broker
    const undo: (() => void)[] = []
    try {
      const all = plan.leaving()
      for (const { name, ...old } of all) {
        const expected = guard.expectedOf(old.socket)
        undo.push(() => replacements.leaving.takenBack(old.socket))
        replacements.leave(name, [{ ...old, ...(expected !== undefined && { expected }) }])
      }
      for (const socket of plan.superseded()) replacements.leaving.supersede(socket)
      for (const [name, own] of plan.names) {
        const was = before.get(name)
        undo.push(() => (was ? sockets.update(name, was.model, was.sockets) : sockets.withdraw(name)))
        sockets.update(name, own.model, own.sockets)
      }
      return all
    } catch (error) {
      const failures = undoAll(undo)
      throw plan.takenBackFor(error as Error, failures)
    }
  }

  private commit(changes: Changes, next: Config, { plan, leaving, before }: Given): void {
    const { broker } = this
    plan.settle()
    const resocketed = [...plan.names].filter(([name, { sockets }]) => !sameSockets(before.get(name)?.sockets, sockets))
    for (const { name, socket } of leaving) broker.sockets.release(name, socket)
    broker.replacements.left(leaving)
    for (const { name, socket } of plan.takenBack()) {
      broker.replacements.leaving.takenBack(socket)
      broker.sockets.keepAgain(name)
    }
    applyConfig(broker, next)
    broker.guard.lost.settle()
    for (const [name] of resocketed) if (!changes.added.includes(name)) broker.replacements.tellHolders(name)
    for (const { name } of changes.changed) this.settle(name)
    broker.occurred(reloadEvent(changes))
  }

  /** Status flags of a name without holders are as configured. */
  private settle(name: string): void {
    const found = this.broker.registry.names.get(name)
    if (found !== undefined && !hasHolder(found)) this.broker.sockets.rest(name)
  }
}

const RESTART = 'cannot change while the broker runs: restart the broker, or set it back'

/** A refusal has to fit one packet. */
const LINES_MAX = 100
const MESSAGE_MAX = 10_000

function refusal(faults: readonly Fault[]): ReloadResult {
  const lines = formatFaults(faults).split('\n')
  const more =
    lines.length > LINES_MAX ? [`and ${lines.length - LINES_MAX} lines more: \`fd-broker check\` shows all`] : []
  return { code: 'INVALID', message: [...lines.slice(0, LINES_MAX), ...more].join('\n').slice(0, MESSAGE_MAX), faults }
}

function sameSockets(before: readonly object[] | undefined, after: readonly object[]): boolean {
  return before?.length === after.length && after.every((socket, at) => socket === before[at])
}

/** An event has to fit one packet. */
const LISTED_MAX = 64

function reloadEvent({ added, removed, changed, unchanged, broker }: Changes) {
  const cut = (names: readonly string[]) => names.slice(0, LISTED_MAX)
  return {
    event: 'reload',
    at: Date.now(),
    added: cut(added),
    removed: cut(removed),
    changed: changed.slice(0, LISTED_MAX),
    unchanged: cut(unchanged),
    broker,
    counts: { added: added.length, removed: removed.length, changed: changed.length, unchanged: unchanged.length },
  }
}

/** Nothing to do is not tried: a broker that gave up root may not change the mode of the path that root bound. */
function setMode(path: string, mode: number): void {
  if ((statSync(path).mode & 0o777) !== mode) chmodSync(path, mode)
}
