// A second opinion on the core: it sees only events and effects, keeps its own books, and complains.

import type { CoreEvent, Effect, NameConfig } from '../../src/core/types.ts'

interface Seen {
  connection: number
  process: number
  bind: 'connection' | 'process'
  name: string
  generation: string
  state: 'granted' | 'ready' | 'draining'
  /** It has been told that it may accept. */
  answered: boolean
}

/** No connection has this number. */
const GONE = -1

const ASKS: ReadonlySet<string> = new Set(['acquire', 'ready', 'release', 'reclaim'])

const ENDINGS = ['released', 'died', 'expired', 'evicted', 'revoked']

export class Observer {
  readonly leases = new Map<number, Seen>()
  readonly configs = new Map<string, NameConfig>()
  readonly timers = new Map<string, number>()
  readonly #pending = new Map<number, CoreEvent & { connection: number }>()
  readonly #answered = new Set<number>()
  readonly #drained = new Set<number>()
  readonly #endedNow = new Set<number>()
  /** Leases that were taken away: signals to their processes may still be due. */
  readonly #pursued = new Map<number, number>()
  readonly #retired = new Set<string>()
  readonly #names = new Set<string>()
  readonly #paused = new Set<string>()
  readonly #lost = new Set<string>()

  see(event: CoreEvent, effects: readonly Effect[]): void {
    this.#endedNow.clear()
    this.#before(event)
    for (const effect of effects) this.#effect(effect)
    this.#after(event)
  }

  /** Every connection is lost; what the new broker's timers are, its first effects say. */
  restarted(effects: readonly Effect[]): void {
    this.#pending.clear()
    this.#lost.clear()
    this.timers.clear()
    for (const lease of this.leases.values()) lease.connection = GONE
    for (const effect of effects) this.#effect(effect)
  }

  unanswered(): number[] {
    return [...this.#pending.keys()]
  }

  #before(event: CoreEvent): void {
    if (ASKS.has(event.type)) {
      const ask = event as Extract<CoreEvent, { type: 'acquire' | 'ready' | 'release' | 'reclaim' }>
      this.#pending.set(ask.request, ask)
    }
    if (event.type === 'hangup' || event.type === 'evict') {
      for (const [request, { connection }] of this.#pending)
        if (connection === event.connection) this.#pending.delete(request)
    }
    if (event.type === 'timer') check(this.timers.delete(event.key), 'only a running timer fires')
    if (event.type === 'configure') for (const config of event.names) this.#configured(config)
    if (event.type === 'pause' && this.#names.has(event.name)) this.#paused.add(event.name)
    if (event.type === 'resume') this.#paused.delete(event.name)
    if (event.type === 'lost' && this.#names.has(event.name)) this.#lost.add(event.name)
    if (event.type === 'regained') this.#lost.delete(event.name)
    if (event.type === 'notify' && event.message.kind === 'MAINPID') {
      const lease = this.leases.get(event.lease)
      if (lease?.bind === 'process') lease.process = event.message.holder.process
    }
  }

  #configured(config: NameConfig): void {
    this.configs.set(config.name, config)
    this.#names.add(config.name)
    if (config.mode !== 'shared') return
    // Whoever is ready may accept then, and nobody tells a program that said so by its notify socket.
    for (const lease of this.leases.values())
      if (lease.name === config.name && lease.state === 'ready') lease.answered = true
  }

  #effect(effect: Effect): void {
    if (effect.type === 'grant') this.#grant(effect)
    if (effect.type === 'reclaimed') this.#reclaimed(effect)
    if (effect.type === 'reply') this.#reply(effect)
    if (effect.type === 'refuse') this.#answer(effect.request, effect.connection)
    if (effect.type === 'publish') this.#published(effect.event)
    if (effect.type === 'start-timer') this.timers.set(effect.key, effect.at)
    if (effect.type === 'stop-timer')
      check(this.timers.delete(effect.key), `only a running timer is stopped: ${effect.key}`)
    if (effect.type === 'tell') {
      const known = this.leases.has(effect.event.lease) || this.#endedNow.has(effect.event.lease)
      check(known, 'a tell names a live lease or one that just ended')
    }
    if (effect.type === 'signal') this.#signal(effect)
    if (effect.type === 'retire') {
      check(
        ![...this.leases.values()].some(({ name }) => name === effect.name),
        'a name is retired when nobody holds it',
      )
      this.#retired.add(effect.name)
      this.#names.delete(effect.name)
      this.#paused.delete(effect.name)
      this.#lost.delete(effect.name)
    }
  }

  #answer(request: number, connection: number): CoreEvent & { connection: number } {
    const event = this.#pending.get(request)
    if (!event) throw new Error(`request ${request} is answered exactly once, while its connection is open`)
    check(event.connection === connection, 'an answer goes to the connection that asked')
    check(!this.#answered.has(request), 'a request is answered once')
    this.#pending.delete(request)
    this.#answered.add(request)
    return event
  }

  #grant(effect: Extract<Effect, { type: 'grant' }>): void {
    const event = this.#answer(effect.request, effect.connection)
    if (event.type !== 'acquire') throw new Error('a grant answers an acquire')
    check(!this.#paused.has(effect.name) && !this.#lost.has(effect.name), 'a paused or lost name grants nothing')
    check(!this.#retired.has(effect.name) || this.configs.has(effect.name), 'a retired name grants nothing')
    const { connection, bind, holder, name } = event
    const { generation, state } = effect
    const lease: Seen = {
      connection,
      bind,
      process: holder.process,
      name,
      generation,
      state: 'granted',
      answered: false,
    }
    this.leases.set(effect.lease, lease)
    if (state === 'ready') this.#mayAccept(lease)
  }

  #reclaimed({ request, connection, lease, state }: Extract<Effect, { type: 'reclaimed' }>): void {
    const event = this.#answer(request, connection)
    const known = this.leases.get(lease)
    check(
      event.type === 'reclaim' && event.identity === `pidfd:${known?.process}`,
      'only its own process reclaims a lease',
    )
    check(state === known!.state, 'a reclaimed lease is in the state that it was in')
    known!.connection = connection
  }

  #reply(effect: Extract<Effect, { type: 'reply' }>): void {
    const event = this.#answer(effect.request, effect.connection)
    const lease = event.type === 'ready' ? this.leases.get(event.lease) : undefined
    if (lease && effect.body.state === 'ready') this.#mayAccept(lease)
  }

  /** Told again is no news: a reload may have made the name exclusive meanwhile. */
  #mayAccept(lease: Seen): void {
    if (!lease.answered && this.configs.get(lease.name)?.mode === 'exclusive') {
      const others = [...this.leases.values()].filter((other) => other !== lease && other.name === lease.name)
      check(!others.some(({ answered }) => answered), 'never two leases of an exclusive name that may accept')
    }
    lease.answered = true
  }

  #published({ event, lease: id, name, generation }: Extract<Effect, { type: 'publish' }>['event']): void {
    const lease = id === undefined ? undefined : this.leases.get(id)
    if (id !== undefined) check(lease !== undefined, `${event} names a live lease`)
    if (event === 'ready') {
      lease!.state = 'ready'
      if (this.configs.get(name)?.mode === 'shared') lease!.answered = true
    }
    if (event === 'drain') {
      check(!this.#drained.has(id!), 'a lease is drained exactly once')
      this.#drained.add(id!)
      lease!.state = 'draining'
    }
    if (event === 'promoted') this.#promoted(name, generation as string)
    if (!ENDINGS.includes(event)) return
    this.leases.delete(id!)
    this.#endedNow.add(id!)
    if (event !== 'released' && event !== 'died') this.#pursued.set(id!, lease!.process)
  }

  #promoted(name: string, generation: string): void {
    const { quorum, mode } = this.configs.get(name)!
    const ready = [...this.leases.values()].filter((lease) => {
      return lease.name === name && lease.generation === generation && lease.state === 'ready'
    })
    check(ready.length >= (mode === 'exclusive' ? 1 : quorum), 'never a promotion without its quorum')
  }

  #signal({ lease, process }: Extract<Effect, { type: 'signal' }>): void {
    const target = this.leases.get(lease)?.process ?? this.#pursued.get(lease)
    check(target === process, 'a signal goes to the process of its lease')
  }

  #after(event: CoreEvent): void {
    for (const lease of this.leases.values()) {
      if (event.type === 'exit') check(lease.process !== event.process, 'no lease outlives its process')
      if (event.type !== 'hangup' && event.type !== 'evict') continue
      const bound = lease.bind === 'connection' || event.type === 'evict'
      check(!bound || lease.connection !== event.connection, 'no lease outlives what it is bound to')
    }
    if (event.type !== 'exit') return
    for (const [lease, process] of this.#pursued) if (process === event.process) this.#pursued.delete(lease)
  }
}

/** Two portraits; the first lines that differ are in the complaint. */
export function checkSame(found: string, expected: string, rule: string): void {
  if (found === expected) return
  const [a, b] = [found.split('\n'), expected.split('\n')]
  const at = a.findIndex((line, index) => line !== b[index])
  throw new Error(`broken: ${rule}: ${a.slice(at, at + 3).join()} is not ${b.slice(at, at + 3).join()}`)
}

export function check(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`broken: ${rule}`)
}
