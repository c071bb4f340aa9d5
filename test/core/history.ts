// Random histories of the core, and what must hold after every step of each.

import fc from 'fast-check'
import { createFold, fold } from '../../src/core/fold.ts'
import type { Lease, Name } from '../../src/core/registry.ts'
import { createRegistry, leasesOf } from '../../src/core/registry.ts'
import { restore } from '../../src/core/restore.ts'
import { recordsOf } from '../../src/core/state.ts'
import { step } from '../../src/core/step.ts'
import type { AcquireEvent, CoreEvent, NameConfig } from '../../src/core/types.ts'
import { check, checkSame, Observer } from './observer.ts'
import { portrait } from './portrait.ts'
import { holder, processOf, WEB } from './world.ts'

const PEERS = 6

const small = fc.nat({ max: PEERS - 1 })
const config = fc.record({
  mode: fc.constantFrom('shared' as const, 'exclusive' as const),
  quorum: fc.integer({ min: 1, max: 2 }),
  maxHolders: fc.integer({ min: 1, max: 3 }),
  maxDraining: fc.integer({ min: 1, max: 4 }),
  maxGenerations: fc.integer({ min: 1, max: 3 }),
  onDrainTimeout: fc.constantFrom('keep' as const, 'term' as const, 'kill' as const),
  watchdog: fc.option(fc.constant(1_000), { nil: undefined }),
})

const act = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      act: fc.constant('acquire' as const),
      peer: small,
      takeover: fc.boolean(),
      generation: fc.option(fc.constantFrom('v1', 'v2', 'v3'), { nil: undefined, freq: 1 }),
      wait: fc.constantFrom(0, -1, 700),
      ready: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      bind: fc.constantFrom('connection' as const, 'process' as const),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ act: fc.constant('ready' as const), lease: fc.nat(), stranger: fc.nat({ max: 9 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ act: fc.constant('release' as const), lease: fc.nat(), stranger: fc.nat({ max: 9 }) }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('hangup' as const, 'exit' as const), peer: small }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('evict' as const, 'toggle' as const), peer: small }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('undelivered' as const), lease: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant('pass' as const), time: fc.constantFrom(1, 700, 5_000, 60_000) }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('pause' as const), drain: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('resume' as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('lost' as const) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('regained' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('drain' as const),
      timeout: fc.option(fc.nat({ max: 9_000 }), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('drain-lease' as const), lease: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('configure' as const), config }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('notify' as const),
      lease: fc.nat(),
      kind: fc.constantFrom('READY' as const, 'STOPPING' as const, 'WATCHDOG' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('restart' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant('reclaim' as const), lease: fc.nat(), stranger: fc.nat({ max: 9 }) }),
  },
)

type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

export const histories = fc.record({ config, acts: fc.array(act, { maxLength: 60, size: 'max' }) })

type Config = typeof config extends fc.Arbitrary<infer T> ? T : never

export class History {
  registry = createRegistry()
  readonly #folded = createFold()
  /** Compares the registry with what its records say after every step. */
  readonly #mirror: boolean
  readonly observer = new Observer()
  readonly #denied = new Set<number>()
  /** A peer that hung up or exited comes back under new numbers. */
  readonly #connections = Array.from({ length: PEERS }, (_, peer) => peer + 1)
  readonly #processes = Array.from({ length: PEERS }, (_, peer) => peer + 1)
  #next = PEERS + 1
  #request = 0
  #now = 1_000_000

  constructor(first: Config, { mirror = false } = {}) {
    this.#mirror = mirror
    this.#configure(first)
  }

  run(acts: readonly Act[]): void {
    for (const each of acts) this.#act(each)
  }

  /** Everything comes to its end: then nothing may be left over. */
  close(): void {
    this.#denied.clear()
    this.#step({ type: 'resume', name: 'web' })
    this.#step({ type: 'regained', name: 'web' })
    for (const process of this.#processes) this.#step({ type: 'exit', process })
    check(this.observer.leases.size === 0, 'no lease outlives its holder')
    check(this.observer.unanswered().length === 0, 'each request is answered')
    for (const connection of this.#connections) this.#step({ type: 'hangup', connection })
    this.#pass(0)
    const left = [...this.observer.timers.keys()].filter((key) => !key.startsWith('removed/'))
    check(left.length === 0, `timers that were started are stopped or fire: ${left}`)
    check(this.registry.byConnection.size + this.registry.byProcess.size === 0, 'nothing is left in the indices')
    check(
      this.registry.byGeneration.size + this.registry.waiting.size + this.registry.pursuits.size === 0,
      'nor elsewhere',
    )
  }

  #act(each: Act): void {
    if (each.act === 'acquire') this.#acquire(each)
    if (each.act === 'ready' || each.act === 'release') this.#onLease(each)
    if (each.act === 'hangup' || each.act === 'evict') {
      this.#step({ type: each.act, connection: this.#connections[each.peer]! })
      this.#connections[each.peer] = this.#next++
    }
    if (each.act === 'restart') this.#restart()
    if (each.act === 'reclaim') this.#reclaim(each)
    if (each.act === 'exit') this.#exit(each.peer)
    if (each.act === 'toggle' && !this.#denied.delete(this.#connections[each.peer]!)) {
      this.#denied.add(this.#connections[each.peer]!)
    }
    if (each.act === 'undelivered') this.#withLease(each.lease, (lease) => this.#step({ type: 'undelivered', lease }))
    if (each.act === 'pass') this.#pass(each.time)
    if (each.act === 'pause') this.#step({ type: 'pause', name: 'web', drain: each.drain })
    if (each.act === 'resume') this.#step({ type: 'resume', name: 'web' })
    if (each.act === 'lost') this.#step({ type: 'lost', name: 'web', why: 'another process has its address' })
    if (each.act === 'regained') this.#step({ type: 'regained', name: 'web' })
    if (each.act === 'drain') {
      this.#step({
        type: 'drain',
        target: { name: 'web' },
        ...(each.timeout !== undefined && { timeout: each.timeout }),
      })
    }
    if (each.act === 'drain-lease')
      this.#withLease(each.lease, (lease) => this.#step({ type: 'drain', target: { lease } }))
    if (each.act === 'configure') this.#configure(each.config)
    if (each.act === 'remove') this.#step({ type: 'configure', names: [] })
    if (each.act === 'notify') {
      this.#withLease(each.lease, (lease) => this.#step({ type: 'notify', lease, message: { kind: each.kind } }))
    }
  }

  #acquire({ peer, generation, takeover, wait, ready, bind }: Extract<Act, { act: 'acquire' }>): void {
    this.#step({
      type: 'acquire',
      connection: this.#connections[peer]!,
      request: ++this.#request,
      name: 'web',
      holder: holder(this.#processes[peer]!),
      takeover,
      wait,
      ready,
      bind,
      // Half of the peers want back all that they had.
      reclaims: peer % 2 === 0 ? [...this.observer.leases.keys()] : [],
      ...(generation !== undefined && { generation }),
    })
  }

  #onLease({ act, lease: pick, stranger }: Extract<Act, { act: 'ready' | 'release' }>): void {
    this.#withLease(pick, (lease) => {
      const { connection } = this.observer.leases.get(lease)!
      const asks = stranger === 0 ? this.#next : connection
      if (this.#connections.includes(asks)) this.#step({ type: act, connection: asks, request: ++this.#request, lease })
    })
  }

  #reclaim({ lease: pick, stranger }: Extract<Act, { act: 'reclaim' }>): void {
    this.#withLease(pick, (lease) => {
      const own = this.#processes.indexOf(this.observer.leases.get(lease)!.process)
      const peer = stranger === 0 ? (own + 1) % PEERS : own
      const connection = this.#connections[peer]
      if (connection === undefined) return
      const identity = `pidfd:${this.#processes[peer]}`
      this.#step({ type: 'reclaim', connection, request: ++this.#request, lease, name: 'web', identity })
    })
  }

  /** The broker is killed and starts again: every connection is lost, every process lives on. */
  #restart(): void {
    const { registry, effects } = restore(this.#folded, { now: this.#now, reclaimTimeout: 5_000, processOf })
    this.registry = registry
    this.observer.restarted(effects)
    for (const peer of this.#connections.keys()) this.#connections[peer] = this.#next++
  }

  /** What a restart now would bring back. */
  #restored(): string {
    return portrait(restore(this.#folded, { now: this.#now, reclaimTimeout: 5_000, processOf }).registry)
  }

  #withLease(pick: number, use: (lease: number) => void): void {
    const leases = [...this.observer.leases.keys()]
    if (leases.length > 0) use(leases[pick % leases.length]!)
  }

  #exit(peer: number): void {
    this.#step({ type: 'exit', process: this.#processes[peer]! })
    this.#step({ type: 'hangup', connection: this.#connections[peer]! })
    this.#processes[peer] = this.#next++
    this.#connections[peer] = this.#next++
  }

  #configure({ watchdog, ...config }: Config): void {
    this.#step({ type: 'configure', names: [{ ...WEB, ...config, ...(watchdog !== undefined && { watchdog }) }] })
  }

  #pass(time: number): void {
    const until = this.#now + time
    for (;;) {
      const [key, at] = [...this.observer.timers].sort((a, b) => a[1] - b[1])[0] ?? []
      if (key === undefined || at === undefined || at > until) break
      this.#now = Math.max(this.#now, at)
      this.#step({ type: 'timer', key })
    }
    this.#now = until
  }

  #step(event: CoreEvent): void {
    const before = this.#mirror ? portrait(this.registry) : ''
    const allows = (_config: NameConfig, connection: number) => !this.#denied.has(connection)
    this.observer.see(event, step(this.registry, event, { now: this.#now, allows }))
    if (this.#mirror) checkSame(this.#restored(), before, 'without the records of a step all is as it was before it')
    for (const record of recordsOf(this.registry)) fold(this.#folded, record)
    if (this.#mirror) checkSame(this.#restored(), portrait(this.registry), 'the records say what the registry is')
    check(
      [...this.registry.timers].every(([key, at]) => this.observer.timers.get(key) === at),
      'the core knows which timers run',
    )
    for (const name of this.registry.names.values()) checkRest(name)
  }
}

/** What must hold of a name when a turn is over. */
function checkRest(name: Name): void {
  const leases = [...leasesOf(name)]
  for (const lease of leases) {
    const older = lease.generation!.seq < name.current.seq
    check(!older || lease.state === 'draining', 'an older generation is drained')
  }
  if (name.paused || name.lost !== undefined) return
  for (const lane of name.lanes.values()) {
    for (const { asked } of lane)
      check(!hasRoom(name, leases, asked), 'a waiter is never forgotten while there is room')
  }
}

function hasRoom({ config, current, pending, removed }: Name, leases: readonly Lease[], asked: AcquireEvent): boolean {
  if (removed) return true
  if (leases.filter(({ state }) => state === 'draining').length >= config.maxDraining) return false
  if (asked.ready && config.mode === 'exclusive' && leases.length > 0) return false
  const live = [current, ...pending]
  const fresh = asked.takeover && asked.generation === undefined
  const target = fresh ? undefined : live.find(({ label }) => label === (asked.generation ?? current.label))
  if (!target) return live.length < config.maxGenerations
  const taken = leases.filter(({ generation, state }) => generation === target && state !== 'draining')
  return taken.length < (config.mode === 'exclusive' ? 1 : config.maxHolders)
}
