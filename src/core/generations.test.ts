import { describe, expect, it } from 'vitest'
import { World } from '../../test/core/world.ts'

function serve(world: World, connection: number, asked: Parameters<World['acquire']>[1] = {}): number {
  const lease = world.acquire(connection, asked)
  world.ready(connection, lease)
  return lease
}

describe('a generation', () => {
  it('is current from the start and lives on without leases', () => {
    const world = new World()
    serve(world, 1)
    world.step({ type: 'hangup', connection: 1 })
    world.acquire(2)
    expect(world.find('grant')?.generation).toBe('g1')
  })

  it('that a label names is joined when it is current or pending, and opened when there is none', () => {
    const world = new World()
    world.acquire(1, { generation: 'g1' })
    expect(world.find('grant')?.generation).toBe('g1')
    world.acquire(2, { generation: 'v2' })
    world.acquire(3, { generation: 'v2' })
    expect([...world.registry.names.get('web')!.pending].map(({ label, leases }) => [label, leases.size])).toEqual([
      ['v2', 2],
    ])
  })

  it('opened by a takeover without a label takes the next free gN', () => {
    const world = new World()
    world.acquire(1, { generation: 'g2' })
    world.acquire(2, { takeover: true })
    expect(world.find('grant')?.generation).toBe('g3')
  })

  it('that is pending is joined by a takeover with its label; the current one is INVALID', () => {
    const world = new World()
    world.acquire(1, { takeover: true, generation: 'v2' })
    world.acquire(2, { takeover: true, generation: 'v2' })
    expect(world.find('grant')?.generation).toBe('v2')
    world.ask(3, { takeover: true, generation: 'g1' })
    expect(world.find('refuse')).toMatchObject({ code: 'INVALID', message: expect.stringContaining('g1') })
  })

  it('over max_generations is BUSY, until one of them is over', () => {
    const world = new World({ maxGenerations: 2 })
    const pending = world.acquire(1, { takeover: true })
    world.ask(2, { takeover: true })
    expect(world.find('refuse')?.code).toBe('BUSY')
    world.ask(2, { takeover: true, wait: -1 })
    world.release(1, pending)
    expect(world.find('grant')?.generation).toBe('g3')
  })
})

describe('promotion', () => {
  it('comes with the quorum, and drains every older generation, pending ones included, but no newer one', () => {
    const world = new World({ quorum: 2 })
    const old = serve(world, 1)
    const abandoned = world.acquire(2, { generation: 'v2' })
    const first = world.acquire(3, { generation: 'v3' })
    const second = world.acquire(4, { generation: 'v3' })
    const newer = world.acquire(5, { generation: 'v4' })
    world.ready(3, first)
    expect(world.find('reply')?.body).toEqual({ state: 'ready', promoted: false })
    expect(world.state(old)).toBe('ready')
    world.ready(4, second)
    expect(world.find('reply')?.body).toEqual({ state: 'ready', promoted: true })
    expect(world.published('promoted')).toMatchObject([{ generation: 'v3', former: 'g1' }])
    expect([old, abandoned, first, second, newer].map((lease) => world.state(lease))).toEqual([
      'draining',
      'draining',
      'ready',
      'ready',
      'granted',
    ])
    expect(world.all('tell').map(({ connection, event }) => [connection, event])).toEqual([
      [1, { event: 'drain', lease: old, reason: 'takeover', deadline: world.now + 30_000 }],
      [2, { event: 'drain', lease: abandoned, reason: 'takeover', deadline: world.now + 30_000 }],
    ])
    expect(world.published('rollback')).toMatchObject([{ reason: 'superseded' }])
  })

  it('that does not come within promote_timeout rolls the generation back', () => {
    const world = new World({ quorum: 2, promoteTimeout: 1_000 })
    const old = serve(world, 1)
    const canary = serve(world, 2, { generation: 'v2' })
    world.pass(999)
    expect(world.state(canary)).toBe('ready')
    world.pass(1)
    expect(world.find('tell')?.event).toMatchObject({ event: 'drain', lease: canary, reason: 'rollback' })
    expect(world.published('rollback')).toMatchObject([{ generation: 'v2', reason: 'timeout' }])
    expect(world.published('rollback')[0]).not.toHaveProperty('ended')
    expect(world.state(old)).toBe('ready')
    world.release(2, canary)
    expect(world.published('rollback')).toEqual([])
  })

  it('never comes to a generation whose last lease ended: that is a rollback, unnoticed by the current one', () => {
    const world = new World()
    const old = serve(world, 1)
    world.acquire(2, { generation: 'v2' })
    world.step({ type: 'exit', process: 2 })
    expect(world.published('rollback')).toMatchObject([{ generation: 'v2', reason: 'empty', ended: 'died' }])
    expect(world.state(old)).toBe('ready')
    expect(world.all('tell')).toEqual([])
    expect(world.registry.byGeneration.size).toBe(0)
  })

  it('comes when a reload lowers the quorum to what is there', () => {
    const world = new World({ quorum: 2 })
    serve(world, 1, { generation: 'v2' })
    world.configure({ quorum: 1 })
    expect(world.published('promoted')).toMatchObject([{ generation: 'v2' }])
  })

  it('answers the newcomer that was granted ready at once before it drains the old', () => {
    const world = new World()
    serve(world, 1)
    world.acquire(2, { takeover: true, ready: true })
    const told = world.last.map(({ type }) => type).filter((type) => type === 'grant' || type === 'tell')
    expect(told).toEqual(['grant', 'tell'])
  })
})

describe('a superseded label', () => {
  const superseded = () => {
    const world = new World()
    const old = serve(world, 1, { generation: 'v1' })
    return { world, old }
  }

  it('without takeover gets ENDED, which names its successor', () => {
    const { world } = superseded()
    serve(world, 2, { generation: 'v2' })
    world.ask(3, { generation: 'v1', wait: -1 })
    expect(world.find('refuse')).toMatchObject({ code: 'ENDED', message: expect.stringContaining('superseded by v2') })
  })

  it('gets the same when it waited for it', () => {
    const world = new World({ maxHolders: 1 })
    serve(world, 1, { generation: 'v1' })
    const waiter = world.ask(2, { generation: 'v1', wait: -1 })
    const unlabelled = world.ask(4, { wait: -1 })
    const next = world.acquire(3, { generation: 'v2' })
    world.ready(3, next)
    expect(world.all('refuse')).toMatchObject([{ connection: 2, request: waiter, code: 'ENDED' }])
    world.release(3, next)
    expect(world.find('grant')).toMatchObject({ request: unlabelled, generation: 'v2' })
  })

  it('can be taken over on purpose', () => {
    const { world } = superseded()
    serve(world, 2, { generation: 'v2' })
    serve(world, 3, { generation: 'v1', takeover: true })
    expect(world.published('promoted')).toMatchObject([{ generation: 'v1', former: 'v2' }])
    world.ask(4, { generation: 'v2' })
    expect(world.find('refuse')?.code).toBe('ENDED')
    world.acquire(5, { generation: 'v1' })
  })

  it('is remembered 64 times', () => {
    const { world } = superseded()
    for (let version = 2; version <= 66; version++) serve(world, version, { generation: `v${version}` })
    world.ask(3, { generation: 'v2' })
    expect(world.find('refuse')?.code).toBe('ENDED')
    world.ask(3, { generation: 'v1' })
    expect(world.find('grant')?.generation).toBe('v1')
  })
})

describe('an exclusive name', () => {
  const handover = (asked: Parameters<World['acquire']>[1] = {}) => {
    const world = new World({ mode: 'exclusive' })
    const old = serve(world, 1)
    const next = world.acquire(2, { takeover: true, ...asked })
    const request = world.ready(2, next)
    return { world, old, next, request }
  }

  it('has one lease in each generation', () => {
    const world = new World({ mode: 'exclusive' })
    world.acquire(1)
    world.ask(2)
    expect(world.find('refuse')).toMatchObject({ code: 'BUSY', message: expect.stringContaining('exclusive') })
    world.acquire(3, { takeover: true })
  })

  it('answers the newcomer’s `ready` only when the former holder is gone', () => {
    const { world, old, next, request } = handover()
    expect(world.published('promoted')).toHaveLength(1)
    expect(world.find('tell')?.event).toMatchObject({ event: 'drain', lease: old, reason: 'takeover' })
    expect(world.all('reply')).toEqual([])
    world.pass(100_000)
    expect(world.all('reply')).toEqual([])
    const released = world.release(1, old)
    expect(world.all('reply').map((reply) => [reply.request, reply.body])).toEqual([
      [released, {}],
      [request, { state: 'ready', promoted: true }],
    ])
    expect(world.state(next)).toBe('ready')
  })

  it('answers every `ready` that was asked meanwhile', () => {
    const { world, old, next, request } = handover()
    const again = world.ready(2, next)
    world.release(1, old)
    expect(world.all('reply').map((reply) => reply.request)).toEqual(expect.arrayContaining([request, again]))
  })

  it('refuses `ready` at acquire while it has a holder, also a draining one', () => {
    const world = new World({ mode: 'exclusive' })
    const old = world.acquire(1, { ready: true })
    for (const prepare of [() => undefined, () => world.step({ type: 'drain', target: { lease: old } })]) {
      prepare()
      world.ask(2, { takeover: true, ready: true })
      expect(world.find('refuse')?.code).toBe('INVALID')
    }
  })

  it('lets a waiter with `ready` wait until there is no holder at all', () => {
    const world = new World({ mode: 'exclusive' })
    world.step({ type: 'pause', name: 'web', drain: false })
    world.ask(1, { ready: true, wait: -1 })
    world.ask(2, { ready: true, wait: -1 })
    world.step({ type: 'resume', name: 'web' })
    expect(world.all('grant')).toMatchObject([{ connection: 1, state: 'ready' }])
    world.step({ type: 'drain', target: { lease: 1 } })
    expect(world.all('grant')).toEqual([])
    world.release(1, 1)
    expect(world.all('grant')).toMatchObject([{ connection: 2, state: 'ready' }])
  })

  it('whose newcomer dies before its answer stays with that generation, empty, and the first waiter is granted', () => {
    const { world, old } = handover()
    const waiter = world.ask(3, { wait: -1 })
    world.step({ type: 'hangup', connection: 2 })
    expect(world.find('grant')).toMatchObject({ request: waiter, generation: 'g2' })
    expect(world.state(old)).toBe('draining')
    world.ready(3, world.find('grant')!.lease)
    expect(world.all('reply')).toEqual([])
    world.step({ type: 'exit', process: 1 })
    expect(world.find('reply')).toMatchObject({ connection: 3 })
  })

  it('revokes a lease that was never answered when it is superseded', () => {
    const { world, next, request } = handover()
    const third = world.acquire(3, { takeover: true })
    world.ready(3, third)
    expect(world.state(next)).toBe('revoked')
    expect(world.find('refuse')).toMatchObject({ connection: 2, request, code: 'ENDED' })
    expect(world.find('tell')?.event).toEqual({ event: 'ended', lease: next, reason: 'revoked' })
    expect(world.all('reply')).toEqual([])
  })

  it('sends SIGTERM to a revoked process-bound holder whose connection is closed', () => {
    const { world, next } = handover({ bind: 'process' })
    world.step({ type: 'hangup', connection: 2 })
    const third = world.acquire(3, { takeover: true })
    world.ready(3, third)
    expect(world.all('signal')).toEqual([{ type: 'signal', process: 2, lease: next, signal: 'SIGTERM' }])
  })

  it('revokes a granted lease that is superseded before it said ready, so that one that hangs holds nobody up', () => {
    const world = new World({ mode: 'exclusive' })
    const pending = world.acquire(1, { takeover: true })
    const next = world.acquire(2, { takeover: true })
    world.ready(2, next)
    expect(world.state(pending)).toBe('revoked')
    expect(world.find('tell')?.event).toEqual({ event: 'ended', lease: pending, reason: 'revoked' })
    expect(world.find('reply')).toBeDefined()
  })

  it('tells a newcomer that is drained before its answer not to accept', () => {
    const { world, old, next, request } = handover()
    world.step({ type: 'drain', target: { lease: next } })
    expect(world.find('refuse')).toMatchObject({ request, code: 'ENDED', message: expect.stringContaining('drain') })
    world.release(1, old)
    expect(world.all('reply')).toHaveLength(1)
    world.ready(2, next)
    expect(world.find('refuse')?.code).toBe('ENDED')
  })

  it('tells a newcomer that stops before its answer the same', () => {
    const { world, next, request } = handover({ bind: 'process' })
    world.step({ type: 'notify', lease: next, message: { kind: 'STOPPING' } })
    expect(world.find('refuse')).toMatchObject({ request, code: 'ENDED' })
  })

  it('holds the `ready` of the same generation’s next lease while the drained one is there', () => {
    const world = new World({ mode: 'exclusive' })
    const old = serve(world, 1)
    world.step({ type: 'drain', target: { name: 'web' } })
    const next = world.acquire(2)
    world.ready(2, next)
    expect(world.all('reply')).toEqual([])
    world.release(1, old)
    expect(world.all('reply').map((reply) => reply.connection)).toEqual([1, 2])
  })

  it('proceeds with its hand-over while paused', () => {
    const { world, old } = handover()
    world.step({ type: 'pause', name: 'web', drain: false })
    world.release(1, old)
    expect(world.all('reply').map((reply) => reply.connection)).toEqual([1, 2])
  })

  it('forgets held requests of a closed connection, and answers those of another one of the process', () => {
    const { world, old, next } = handover({ bind: 'process' })
    const held = world.ready(8, next, 2)
    world.ready(9, next, 2)
    world.step({ type: 'hangup', connection: 2 })
    world.step({ type: 'hangup', connection: 9 })
    world.release(1, old)
    expect(world.all('reply').map((reply) => reply.request)).toContain(held)
    expect(world.all('reply')).toHaveLength(2)
    expect([...world.registry.byConnection.keys()]).toEqual([2])
  })

  it('that was shared keeps one lease and drains the others', () => {
    const world = new World()
    const granted = world.acquire(1)
    const served = serve(world, 2)
    const pending = world.acquire(3, { takeover: true })
    world.configure({ mode: 'exclusive' })
    expect([granted, served, pending].map((lease) => world.state(lease))).toEqual(['draining', 'ready', 'draining'])
  })
})
