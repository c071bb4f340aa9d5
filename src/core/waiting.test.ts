import { describe, expect, it } from 'vitest'
import { World } from '../../test/core/world.ts'

describe('a name whose sockets cannot be had', () => {
  const why = 'tcp://127.0.0.1:80 is in use by nginx (pid 7)'

  it('refuses who does not want to wait, and says why', () => {
    const world = new World()
    world.step({ type: 'lost', name: 'web', why })
    world.ask(1)
    expect(world.find('refuse')).toMatchObject({ code: 'SYSTEM', message: expect.stringContaining(why) })
    expect(world.registry.waiting.size).toBe(0)
  })

  it('makes who waits wait, and grants in their order when it has them again', () => {
    const world = new World()
    world.step({ type: 'lost', name: 'web', why })
    const requests = [1, 2].map((connection) => world.ask(connection, { wait: -1 }))
    expect(world.all('grant')).toEqual([])
    world.step({ type: 'regained', name: 'web' })
    expect(world.all('grant').map(({ request }) => request)).toEqual(requests)
  })

  it('says so to who waited too long', () => {
    const world = new World()
    world.step({ type: 'lost', name: 'web', why })
    world.ask(1, { wait: 500 })
    world.pass(500)
    expect(world.find('refuse')).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining(why) })
  })

  it('lets its holders go on: ready, promotion and hand-over proceed', () => {
    const world = new World({ mode: 'exclusive' })
    const former = world.acquire(1)
    world.ready(1, former)
    const next = world.acquire(2, { takeover: true })
    world.step({ type: 'lost', name: 'web', why })
    world.ready(2, next)
    expect(world.published('drain')).toHaveLength(1)
    world.release(1, former)
    expect(world.all('reply').map(({ body }) => body)).toContainEqual({ state: 'ready', promoted: true })
  })

  it('is not one that exists no more', () => {
    const world = new World()
    expect(world.step({ type: 'lost', name: 'other', why })).toEqual([])
    expect(world.step({ type: 'regained', name: 'other' })).toEqual([])
  })

  it('is found out anew after a restart of the broker', () => {
    const world = new World()
    world.step({ type: 'lost', name: 'web', why })
    world.restart()
    world.acquire(1)
    expect(world.all('grant')).toHaveLength(1)
  })
})

describe('a waiter', () => {
  it('gets BUSY at once when it does not want to wait', () => {
    const world = new World({ maxHolders: 1 })
    world.acquire(1)
    world.ask(2)
    expect(world.find('refuse')).toMatchObject({ code: 'BUSY', message: expect.stringContaining('max_holders') })
    expect(world.registry.byConnection.has(2)).toBe(false)
    expect(world.registry.byProcess.has(2)).toBe(false)
  })

  it('gets TIMEOUT when it waited too long', () => {
    const world = new World({ maxHolders: 1 })
    world.acquire(1, { ready: true })
    const request = world.ask(2, { wait: 500 })
    world.pass(499)
    expect(world.last).toEqual([])
    world.pass(1)
    expect(world.find('refuse')).toMatchObject({ request, code: 'TIMEOUT' })
    expect(world.registry.waiting.size).toBe(0)
  })

  it('is served in the turn in which room appears, first come, first served', () => {
    const world = new World({ maxHolders: 1 })
    let held = world.acquire(1)
    const requests = [2, 3, 4].map((connection) => world.ask(connection, { wait: -1 }))
    const served = requests.map((_, index) => {
      world.release(index + 1, held)
      held = world.find('grant')!.lease
      return world.find('grant')!.request
    })
    expect(served).toEqual(requests)
  })

  it('does not stand in the way of one behind it who has room', () => {
    const world = new World({ maxHolders: 1, maxGenerations: 2 })
    const current = world.acquire(1)
    world.acquire(2, { generation: 'v2' })
    world.ask(3, { generation: 'v3', wait: -1 })
    const behind = world.ask(4, { wait: -1 })
    world.release(1, current)
    expect(world.all('grant').map(({ request }) => request)).toEqual([behind])
  })

  it('comes before a later one of another lane when one place suits both', () => {
    const world = new World({ maxHolders: 1 })
    const current = world.acquire(1)
    world.ask(5, { generation: 'g1', wait: -1 })
    world.step({ type: 'hangup', connection: 5 })
    world.ask(3, { wait: -1 })
    const first = world.ask(2, { generation: 'g1', wait: -1 })
    world.step({ type: 'hangup', connection: 3 })
    world.ask(4, { wait: -1 })
    world.release(1, current)
    expect(world.all('grant').map(({ request }) => request)).toEqual([first])
  })

  it('is asked about again at its grant: without the right it gets DENIED, and the next one is served', () => {
    const world = new World({ maxHolders: 1 })
    const held = world.acquire(1)
    const denied = world.ask(2, { wait: -1 })
    const next = world.ask(3, { wait: -1 })
    world.denied.add(2)
    world.release(1, held)
    expect(world.find('refuse')).toMatchObject({ request: denied, code: 'DENIED' })
    expect(world.published('denied')).toHaveLength(1)
    expect(world.find('grant')?.request).toBe(next)
  })

  it('leaves the line with its connection, unanswered', () => {
    for (const type of ['hangup', 'evict'] as const) {
      for (const bind of ['connection', 'process'] as const) {
        const world = new World({ maxHolders: 1 })
        world.acquire(1)
        world.ask(2, { wait: 1_000, bind })
        world.step({ type, connection: 2 })
        expect(world.all('refuse')).toEqual([])
        expect(world.registry.waiting.size).toBe(0)
        expect(world.timers.has('wait/2')).toBe(false)
        expect(world.registry.byConnection.has(2)).toBe(false)
      }
    }
  })

  it('whose process is gone is told so, for its connection may live on', () => {
    for (const bind of ['connection', 'process'] as const) {
      const world = new World({ maxHolders: 1 })
      world.acquire(1)
      const request = world.ask(2, { wait: -1, bind })
      world.step({ type: 'exit', process: 2 })
      expect(world.all('refuse')).toMatchObject([{ request, code: 'ENDED' }])
      expect(world.registry.byProcess.has(2)).toBe(false)
    }
  })

  it('is served when a reload makes room', () => {
    const world = new World({ maxHolders: 1 })
    world.acquire(1)
    const request = world.ask(2, { wait: -1 })
    world.configure({ maxHolders: 2 })
    expect(world.find('grant')?.request).toBe(request)
  })
})

describe('a paused name', () => {
  it('is paused, and resumed, once: again is no news', () => {
    const world = new World()
    const times = (type: 'pause' | 'resume') => {
      const before = world.step({ type, name: 'web', drain: false, connection: 1, request: 1 })
      const again = world.step({ type, name: 'web', drain: false, connection: 1, request: 2 })
      return [before, again].map((effects) => effects.map((effect) => effect.type))
    }
    expect(times('resume')).toEqual([['reply'], ['reply']])
    expect(times('pause')).toEqual([['reply', 'publish'], ['reply']])
    expect(times('resume')).toEqual([['reply', 'publish'], ['reply']])
  })

  it('drains its holders also when it was paused before without that', () => {
    const world = new World()
    world.acquire(1)
    world.step({ type: 'pause', name: 'web', drain: false })
    world.step({ type: 'pause', name: 'web', drain: true })
    expect(world.published('drain')).toHaveLength(1)
    expect(world.published('paused')).toEqual([])
  })

  it('grants nothing: who does not wait gets PAUSED, who waits keeps the place until it is resumed', () => {
    const world = new World()
    const held = world.acquire(1)
    world.step({ type: 'pause', name: 'web', drain: false, connection: 9, request: 1 })
    expect(world.find('reply')).toMatchObject({ connection: 9, body: {} })
    world.ask(2)
    expect(world.find('refuse')?.code).toBe('PAUSED')
    const waiter = world.ask(2, { wait: -1 })
    expect(world.last).toEqual([])
    world.ready(1, held)
    expect(world.find('reply')?.body).toMatchObject({ state: 'ready' })
    world.step({ type: 'resume', name: 'web' })
    expect(world.find('grant')?.request).toBe(waiter)
  })

  it('leaves its holders alone, or drains them when asked to', () => {
    const world = new World()
    const lease = world.acquire(1)
    world.step({ type: 'pause', name: 'web', drain: false })
    expect(world.state(lease)).toBe('granted')
    world.step({ type: 'pause', name: 'web', drain: true })
    expect(world.find('tell')?.event).toMatchObject({ event: 'drain', lease, reason: 'pause' })
  })

  it('still promotes', () => {
    const world = new World()
    const lease = world.acquire(1, { takeover: true })
    world.step({ type: 'pause', name: 'web', drain: false })
    world.ready(1, lease)
    expect(world.published('promoted')).toHaveLength(1)
  })

  it('that does not exist is NOT_FOUND', () => {
    const world = new World()
    for (const type of ['pause', 'resume'] as const) {
      world.step({ type, name: 'nil', drain: false, connection: 1, request: 1 })
      expect(world.find('refuse')?.code).toBe('NOT_FOUND')
    }
  })
})

describe('the process of the holder of an exclusive name', () => {
  const watched = (world: World) => world.all('watch-closely').map(({ process }) => process)

  it('is watched closely from when somebody waits for its end', () => {
    const world = new World({ mode: 'exclusive' })
    world.acquire(1)
    expect(watched(world)).toEqual([])
    world.ask(2, { wait: -1 })
    expect(watched(world)).toEqual([1])
  })

  it('is watched as soon as it holds the name when others still wait', () => {
    const world = new World({ mode: 'exclusive' })
    world.acquire(1)
    world.ask(2, { wait: -1 })
    world.ask(3, { wait: -1 })
    world.step({ type: 'exit', process: 1 })
    expect(watched(world)).toEqual([2])
  })

  it('is not watched so on a shared name, where nobody waits for one holder', () => {
    const world = new World({ maxHolders: 1 })
    world.acquire(1)
    world.ask(2, { wait: -1 })
    expect(watched(world)).toEqual([])
  })
})

describe('who cannot be judged now', () => {
  it('is refused with SYSTEM when it asks, and nothing is granted', () => {
    const world = new World()
    world.unseen.add(1)
    world.ask(1, { wait: -1 })
    expect(world.find('refuse')).toMatchObject({
      code: 'SYSTEM',
      message: expect.stringContaining('cannot see now who asks'),
    })
    expect(world.last).toHaveLength(1)
    expect(world.registry.waiting.size).toBe(0)
  })

  it('waits on, and is granted when it can be judged', () => {
    const world = new World({ mode: 'exclusive' })
    const former = world.acquire(1)
    const request = world.ask(2, { wait: -1 })
    world.unseen.add(2)
    world.release(1, former)
    expect([...world.all('grant'), ...world.all('refuse')]).toEqual([])
    world.pass(1000)
    expect([...world.all('grant'), ...world.all('refuse')]).toEqual([])
    world.unseen.clear()
    world.pass(1000)
    expect(world.all('grant')).toMatchObject([{ request }])
    expect([...world.timers.keys()].filter((key) => key.startsWith('judge/'))).toEqual([])
  })

  it('waits on, and is denied when it can be judged and policy is against it', () => {
    const world = new World({ mode: 'exclusive' })
    const former = world.acquire(1)
    const request = world.ask(2, { wait: -1 })
    world.unseen.add(2)
    world.release(1, former)
    world.unseen.clear()
    world.denied.add(2)
    world.pass(1000)
    expect(world.find('refuse')).toMatchObject({ request, code: 'DENIED' })
  })

  it('waits no longer than it wants to, and is no longer looked at then', () => {
    const world = new World({ mode: 'exclusive' })
    const former = world.acquire(1)
    const request = world.ask(2, { wait: 500 })
    world.unseen.add(2)
    world.release(1, former)
    world.pass(2000)
    expect(world.all('refuse')).toMatchObject([{ request, code: 'TIMEOUT' }])
    expect(world.timers.size).toBe(0)
  })
})
