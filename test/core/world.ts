// A registry with a clock for the tests: requests in, effects out, and the timers that the effects started.

import { createFold, fold } from '../../src/core/fold.ts'
import { createRegistry, type Registry } from '../../src/core/registry.ts'
import { restore } from '../../src/core/restore.ts'
import { recordsOf } from '../../src/core/state.ts'
import { step } from '../../src/core/step.ts'
import type { AcquireEvent, CoreEvent, Effect, HolderInfo, NameConfig, PublishedEvent } from '../../src/core/types.ts'

export type EffectOf<T extends Effect['type']> = Extract<Effect, { type: T }>

export const RECLAIM_TIMEOUT = 10_000

export const WEB: NameConfig = {
  name: 'web',
  mode: 'shared',
  rules: [],
  quorum: 1,
  maxGenerations: 4,
  maxHolders: 1024,
  maxDraining: 1024,
  readyTimeout: 60_000,
  drainTimeout: 30_000,
  onDrainTimeout: 'keep',
  promoteTimeout: 300_000,
}

export function holder(process: number, more: Partial<HolderInfo> = {}): HolderInfo {
  return {
    process,
    identity: `pidfd:${process}`,
    pid: 1000 + process,
    uid: 33,
    gid: 33,
    user: 'www-data',
    command: 'node',
    ...more,
  }
}

/** The process of a holder that `holder` made. */
export function processOf({ identity }: { identity: string }): number {
  return Number(identity.slice('pidfd:'.length))
}

export class World {
  registry: Registry = createRegistry()
  readonly #folded = createFold()
  readonly timers = new Map<string, number>()
  now = 1_000_000
  denied = new Set<number>()
  /** Connections of which it cannot be said now. */
  unseen = new Set<number>()
  last: Effect[] = []
  #request = 0

  constructor(...configs: Partial<NameConfig>[]) {
    this.configure(...(configs.length > 0 ? configs : [{}]))
  }

  configure(...configs: Partial<NameConfig>[]): Effect[] {
    return this.step({ type: 'configure', names: configs.map((config) => ({ ...WEB, ...config })) })
  }

  step(event: CoreEvent): Effect[] {
    const allows = (_name: NameConfig, connection: number) =>
      this.unseen.has(connection) ? undefined : !this.denied.has(connection)
    this.last = step(this.registry, event, { now: this.now, allows })
    for (const record of recordsOf(this.registry)) fold(this.#folded, record)
    this.#keepTimers(this.last)
    return this.last
  }

  /** The broker is killed and starts again after `away` ms. */
  restart(away = 0): void {
    this.now += away
    const restored = restore(this.#folded, { now: this.now, reclaimTimeout: RECLAIM_TIMEOUT, processOf })
    this.registry = restored.registry
    this.timers.clear()
    this.#keepTimers(restored.effects)
  }

  #keepTimers(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'start-timer') this.timers.set(effect.key, effect.at)
      if (effect.type === 'stop-timer') this.timers.delete(effect.key)
    }
  }

  /** Asks on connection n as process n; returns the request's number. */
  ask(connection: number, asked: Partial<AcquireEvent> = {}): number {
    const request = ++this.#request
    this.step({
      type: 'acquire',
      connection,
      request,
      name: 'web',
      holder: holder(connection),
      takeover: false,
      wait: 0,
      ready: false,
      bind: 'connection',
      ...asked,
    })
    return request
  }

  /** Asks and expects a grant; returns the lease. */
  acquire(connection: number, asked: Partial<AcquireEvent> = {}): number {
    const request = this.ask(connection, asked)
    const grant = this.find('grant')
    if (grant?.request !== request) throw new Error(`no grant: ${JSON.stringify(this.last)}`)
    return grant.lease
  }

  ready(connection: number, lease: number, process?: number): number {
    const request = ++this.#request
    this.step({ type: 'ready', connection, request, lease, ...(process !== undefined && { process }) })
    return request
  }

  reclaim(connection: number, lease: number, process = connection, name = 'web'): number {
    const request = ++this.#request
    this.step({ type: 'reclaim', connection, request, lease, name, identity: `pidfd:${process}` })
    return request
  }

  release(connection: number, lease: number, process?: number): number {
    const request = ++this.#request
    this.step({ type: 'release', connection, request, lease, ...(process !== undefined && { process }) })
    return request
  }

  /** Lets time pass and fires what is due, in order; returns all effects. */
  pass(milliseconds: number): Effect[] {
    const until = this.now + milliseconds
    const effects: Effect[] = []
    for (;;) {
      const [key, at] = [...this.timers].sort((a, b) => a[1] - b[1])[0] ?? []
      if (key === undefined || at === undefined || at > until) break
      this.now = at
      this.timers.delete(key)
      effects.push(...this.step({ type: 'timer', key }))
    }
    this.now = until
    this.last = effects
    return effects
  }

  find<T extends Effect['type']>(type: T): EffectOf<T> | undefined {
    return this.all(type)[0]
  }

  all<T extends Effect['type']>(type: T): EffectOf<T>[] {
    return this.last.filter((effect): effect is EffectOf<T> => effect.type === type)
  }

  published(event: PublishedEvent['event']): PublishedEvent[] {
    return this.all('publish').flatMap((effect) => (effect.event.event === event ? [effect.event] : []))
  }

  state(lease: number): string {
    return this.registry.leases.get(lease)?.state ?? this.registry.ended.get(lease)?.ended ?? 'unknown'
  }
}
