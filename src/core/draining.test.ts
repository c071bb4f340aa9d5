import { describe, expect, it } from 'vitest'
import { World } from '../../test/core/world.ts'
import { deniedMessage } from './messages.ts'

describe('a drain', () => {
  it('is told by event with its reason and deadline, to all generations, granted or ready', () => {
    const world = new World()
    const ready = world.acquire(1, { ready: true })
    const granted = world.acquire(2)
    const pending = world.acquire(3, { takeover: true })
    world.step({ type: 'drain', target: { name: 'web' }, timeout: 7, connection: 9, request: 4 })
    const deadline = world.now + 7
    expect(world.all('tell').map(({ event }) => event)).toEqual(
      [ready, granted, pending].map((lease) => ({ event: 'drain', lease, reason: 'admin', deadline })),
    )
    expect(world.published('drain')).toHaveLength(3)
    expect(world.find('reply')).toMatchObject({ connection: 9, request: 4, body: {} })
  })

  it('lets grants go on', () => {
    const world = new World({ maxHolders: 1 })
    world.acquire(1, { ready: true })
    const waiter = world.ask(2, { wait: -1 })
    world.step({ type: 'drain', target: { name: 'web' } })
    expect(world.find('grant')?.request).toBe(waiter)
  })

  it('of what does not exist is NOT_FOUND', () => {
    const world = new World()
    world.step({ type: 'drain', target: { name: 'nil' }, connection: 1, request: 1 })
    expect(world.find('refuse')?.code).toBe('NOT_FOUND')
    world.step({ type: 'drain', target: { lease: 9 }, connection: 1, request: 1 })
    expect(world.find('refuse')?.code).toBe('NOT_FOUND')
    world.step({ type: 'drain', target: { lease: 9 } })
    expect(world.last).toEqual([])
  })

  it('is told to a process-bound holder by event while its connection is open, else by its signal, never both', () => {
    for (const prepare of [0, 1]) {
      const world = new World()
      const open = world.acquire(1, { bind: 'process', ready: prepare === 1 })
      const closed = world.acquire(2, { bind: 'process', ready: prepare === 1, drainSignal: 'QUIT' })
      const plain = world.acquire(3, { bind: 'process', ready: prepare === 1 })
      world.step({ type: 'hangup', connection: 2 })
      world.step({ type: 'hangup', connection: 3 })
      world.step({ type: 'drain', target: { name: 'web' } })
      expect(world.all('tell')).toMatchObject([{ connection: 1, event: { lease: open } }])
      expect(world.all('signal')).toEqual([
        { type: 'signal', process: 2, lease: closed, signal: 'SIGQUIT' },
        { type: 'signal', process: 3, lease: plain, signal: 'SIGTERM' },
      ])
    }
  })

  it('asked for again keeps the earlier deadline, and tells of an earlier one, without a second signal', () => {
    const world = new World({ onDrainTimeout: 'term' })
    const lease = world.acquire(1)
    const quiet = world.acquire(2, { bind: 'process' })
    world.step({ type: 'drain', target: { name: 'web' } })
    world.step({ type: 'hangup', connection: 2 })
    world.step({ type: 'drain', target: { name: 'web' }, timeout: 40_000 })
    expect(world.last).toEqual([])
    world.step({ type: 'drain', target: { name: 'web' }, timeout: 10 })
    expect(world.all('tell').map(({ event }) => event)).toEqual([
      { event: 'drain', lease, reason: 'admin', deadline: world.now + 10 },
    ])
    expect(world.all('signal')).toEqual([])
    expect(world.published('drain')).toEqual([])
    world.pass(10)
    expect(world.all('signal').map((effect) => effect.lease)).toEqual([lease, quiet])
  })

  it('by STOPPING=1 has the reason self, is told on its connection while that is open, and sends no signal', () => {
    for (const [ready, open] of [
      [false, true],
      [true, true],
      [false, false],
      [true, false],
    ]) {
      const world = new World()
      const lease = world.acquire(1, { bind: 'process', ready: ready! })
      if (!open) world.step({ type: 'hangup', connection: 1 })
      world.step({ type: 'notify', lease, message: { kind: 'STOPPING' } })
      expect(world.state(lease)).toBe('draining')
      const told = { reason: 'self', deadline: world.now + 30_000 }
      expect(world.published('drain')).toMatchObject([told])
      expect(world.all('tell').map(({ connection, event }) => [connection, event])).toEqual(
        open ? [[1, { event: 'drain', lease, ...told }]] : [],
      )
      expect(world.all('signal')).toEqual([])
      expect([...world.timers.keys()]).toEqual([`drain/${lease}`])
      world.step({ type: 'notify', lease, message: { kind: 'STOPPING' } })
      expect(world.last).toEqual([])
    }
  })

  it('past its deadline leaves the holder alone, terminates it, or kills it 5 s after that', () => {
    for (const [onDrainTimeout, signals] of [
      ['keep', []],
      ['term', [[30_000, 'SIGTERM']]],
      [
        'kill',
        [
          [30_000, 'SIGTERM'],
          [35_000, 'SIGKILL'],
        ],
      ],
    ] as const) {
      const world = new World({ onDrainTimeout })
      const lease = world.acquire(1)
      const start = world.now
      world.step({ type: 'drain', target: { lease } })
      const seen: [number, string][] = []
      while (world.timers.size > 0) {
        world.pass(5_000)
        for (const { signal } of world.all('signal')) seen.push([world.now - start, signal])
      }
      expect(seen).toEqual(signals)
      expect(world.state(lease)).toBe('draining')
    }
  })

  it('that is met between SIGTERM and SIGKILL is not killed', () => {
    for (const end of ['release', 'exit'] as const) {
      const world = new World({ onDrainTimeout: 'kill' })
      const lease = world.acquire(1)
      world.step({ type: 'drain', target: { lease } })
      world.pass(31_000)
      if (end === 'release') world.release(1, lease)
      else world.step({ type: 'exit', process: 1 })
      expect(world.timers.size).toBe(0)
      world.pass(10_000)
      expect(world.last).toEqual([])
    }
  })

  it('counts in no limit but max_draining, which holds grants back', () => {
    const world = new World({ maxHolders: 1, maxDraining: 2 })
    const first = world.acquire(1)
    world.step({ type: 'drain', target: { name: 'web' } })
    world.acquire(2)
    world.step({ type: 'drain', target: { name: 'web' } })
    world.ask(3)
    expect(world.find('refuse')).toMatchObject({ code: 'BUSY', message: expect.stringContaining('max_draining') })
    const waiter = world.ask(3, { wait: -1 })
    world.release(1, first)
    expect(world.find('grant')?.request).toBe(waiter)
  })
})

describe('shutdown', () => {
  it('drains all, answers the waiters and grants no more', () => {
    const world = new World({ maxHolders: 1 }, { name: 'api' })
    const web = world.acquire(1)
    const api = world.acquire(2, { name: 'api' })
    world.ask(3, { wait: -1 })
    world.step({ type: 'shutdown' })
    expect(world.all('tell').map(({ event }) => event)).toMatchObject([
      { lease: web, reason: 'shutdown' },
      { lease: api, reason: 'shutdown' },
    ])
    expect(world.find('refuse')).toMatchObject({ connection: 3, code: 'PAUSED' })
    world.ask(4, { wait: -1 })
    expect(world.find('refuse')?.code).toBe('PAUSED')
  })
})

describe('a removed name', () => {
  const removed = (onDrainTimeout: 'keep' | 'kill' = 'keep') => {
    const world = new World({ maxHolders: 1, onDrainTimeout }, { name: 'api' })
    const lease = world.acquire(1)
    const waiter = world.ask(2, { wait: -1 })
    world.configure({ name: 'api' })
    return { world, lease, waiter }
  }

  it('drains its holders, and answers its waiters and newcomers as if they asked now', () => {
    const { world, lease, waiter } = removed()
    expect(world.find('tell')?.event).toMatchObject({ event: 'drain', lease, reason: 'removed' })
    expect(world.find('refuse')).toMatchObject({ request: waiter, code: 'NOT_FOUND' })
    const toWaiter = world.find('refuse')
    world.ask(3, { wait: -1 })
    expect(world.find('refuse')?.code).toBe('NOT_FOUND')
    expect(toWaiter?.masked).toBe(deniedMessage('web'))
    expect(toWaiter?.masked).toBe(world.find('refuse')?.masked)
    world.configure({ name: 'api' })
    expect(world.last).toEqual([])
  })

  it('is retired when the last holder has left, or at once when there is none', () => {
    const { world, lease } = removed()
    world.release(1, lease)
    expect(world.all('retire')).toEqual([{ type: 'retire', name: 'web' }])
    expect(world.timers.size).toBe(0)
    world.configure({}, { name: 'api' })
    world.configure({})
    expect(world.all('retire')).toEqual([{ type: 'retire', name: 'api' }])
    expect([...world.registry.names.keys()]).toEqual(['web'])
  })

  it('revokes what is left at drain_timeout', () => {
    const { world, lease } = removed()
    world.pass(30_000)
    expect(world.state(lease)).toBe('revoked')
    expect(world.find('tell')?.event).toEqual({ event: 'ended', lease, reason: 'revoked' })
    expect(world.all('retire')).toHaveLength(1)
  })

  it('still kills what has not left, where that is asked for', () => {
    const { world } = removed('kill')
    world.pass(40_000)
    expect(world.all('signal').map(({ signal }) => signal)).toEqual(['SIGTERM', 'SIGKILL'])
  })

  it('that is added again before that is the same name, and its drains are not undone', () => {
    const { world, lease } = removed()
    const name = world.registry.names.get('web')
    world.configure({ maxHolders: 5 }, { name: 'api' })
    expect(world.registry.names.get('web')).toBe(name)
    world.pass(40_000)
    expect(world.all('retire')).toEqual([])
    expect(world.state(lease)).toBe('draining')
    world.acquire(2)
  })
})
