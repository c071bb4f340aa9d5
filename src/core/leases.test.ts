import { describe, expect, it } from 'vitest'
import { holder, World } from '../../test/core/world.ts'
import { ENDED_REMEMBERED } from './ended-leases.ts'
import { deniedMessage } from './messages.ts'

describe('a grant', () => {
  it('is made at once when there is room, and says within which time to be ready', () => {
    const world = new World()
    const request = world.ask(1, { label: 'blue' })
    expect(world.find('grant')).toEqual({
      type: 'grant',
      connection: 1,
      request,
      lease: 1,
      name: 'web',
      generation: 'g1',
      state: 'granted',
      readyWithin: 60_000,
      mode: 'shared',
    })
    expect(world.published('granted')).toMatchObject([{ at: 1_000_000, name: 'web', lease: 1, label: 'blue', uid: 33 }])
  })

  it('with `ready` is granted and ready in one step', () => {
    const world = new World({ quorum: 1 })
    const lease = world.acquire(1, { ready: true })
    expect(world.find('grant')?.state).toBe('ready')
    expect(world.state(lease)).toBe('ready')
    expect(world.published('ready')).toHaveLength(1)
    expect(world.timers.size).toBe(0)
  })

  it('is not made where policy forbids, and the refusal does not tell whether the name exists', () => {
    const world = new World()
    world.denied.add(1)
    world.ask(1)
    const denied = world.find('refuse')
    expect(denied?.code).toBe('DENIED')
    expect(denied?.message).toBe(deniedMessage('web'))
    expect(world.published('denied')).toMatchObject([{ name: 'web', uid: 33 }])
    world.ask(1, { name: 'nil' })
    expect(world.find('refuse')?.code).toBe('NOT_FOUND')
    expect(world.published('denied')).toEqual([])
  })

  it('takes ids that only grow', () => {
    const world = new World()
    const first = world.acquire(1)
    world.release(1, first)
    expect(world.acquire(1)).toBe(first + 1)
  })

  it('asked with a drain signal or `readyAfter` without being bound to the process is INVALID', () => {
    const world = new World()
    world.ask(1, { drainSignal: 'QUIT' })
    expect(world.find('refuse')).toMatchObject({ code: 'INVALID', message: expect.stringContaining('drainSignal') })
    world.ask(1, { readyAfter: 5 })
    expect(world.find('refuse')).toMatchObject({ code: 'INVALID', message: expect.stringContaining('readyAfter') })
    world.ask(1, { generation: '12' })
    expect(world.find('refuse')).toMatchObject({ code: 'INVALID', message: expect.stringContaining('generation') })
  })

  it('that cannot be delivered ends the lease without telling its peer', () => {
    const world = new World()
    const lease = world.acquire(1, { bind: 'process' })
    world.step({ type: 'undelivered', lease })
    expect(world.state(lease)).toBe('revoked')
    expect(world.all('tell')).toEqual([])
    expect(world.all('signal')).toEqual([])
    expect(world.timers.size).toBe(0)
  })
})

describe('the ready deadline', () => {
  it('expires a granted lease that is not ready in time', () => {
    const world = new World()
    const lease = world.acquire(1)
    world.pass(59_999)
    expect(world.state(lease)).toBe('granted')
    world.pass(1)
    expect(world.state(lease)).toBe('expired')
    expect(world.find('tell')?.event).toEqual({ event: 'ended', lease, reason: 'expired' })
    expect(world.all('signal')).toEqual([])
  })

  it('sends SIGTERM to a process-bound holder whose connection is closed, and no event', () => {
    const world = new World()
    const lease = world.acquire(1, { bind: 'process' })
    world.step({ type: 'hangup', connection: 1 })
    world.pass(60_000)
    expect(world.all('signal')).toEqual([{ type: 'signal', process: 1, lease, signal: 'SIGTERM' }])
    expect(world.all('tell')).toEqual([])
  })

  it('ends with `ready`', () => {
    const world = new World()
    const lease = world.acquire(1)
    const request = world.ready(1, lease)
    expect(world.find('reply')).toEqual({
      type: 'reply',
      connection: 1,
      request,
      body: { state: 'ready', promoted: true },
    })
    expect(world.published('ready')).toHaveLength(1)
    world.pass(1_000_000)
    expect(world.state(lease)).toBe('ready')
  })

  it('is not met by living while the process waits for another name, and counts anew when its connection ends', () => {
    const world = new World({}, { name: 'api', mode: 'exclusive' })
    world.acquire(2, { name: 'api' })
    const lease = world.acquire(1, { bind: 'process', readyAfter: 5_000 })
    world.ask(1, { name: 'api', bind: 'process', readyAfter: 5_000, wait: -1 })
    world.pass(14_000)
    expect(world.state(lease)).toBe('granted')
    world.step({ type: 'hangup', connection: 2 })
    world.step({ type: 'hangup', connection: 1 })
    world.pass(4_999)
    expect(world.state(lease)).toBe('granted')
    world.pass(1)
    expect(world.state(lease)).toBe('ready')
  })

  it('is not met by living while the process waits for its turn on an exclusive name', () => {
    const world = new World({}, { name: 'api', mode: 'exclusive' })
    world.acquire(2, { name: 'api', ready: true })
    const lease = world.acquire(1, { bind: 'process', readyAfter: 0 })
    const turn = world.acquire(1, { name: 'api', bind: 'process', takeover: true })
    world.ready(1, turn)
    world.pass(1_000)
    expect(world.state(lease)).toBe('granted')
    world.step({ type: 'hangup', connection: 2 })
    world.pass(100)
    expect(world.state(lease)).toBe('ready')
  })

  it('passes before a longer `readyAfter` does, unless the holder says ready', () => {
    const world = new World({ readyTimeout: 1_000 })
    const silent = world.acquire(1, { bind: 'process', readyAfter: 5_000 })
    const spoken = world.acquire(2, { bind: 'process', readyAfter: 5_000 })
    world.step({ type: 'notify', lease: spoken, message: { kind: 'READY' } })
    world.pass(10_000)
    expect([world.state(silent), world.state(spoken)]).toEqual(['expired', 'ready'])
  })

  it('is met by having lived for `readyAfter`', () => {
    const world = new World()
    const lease = world.acquire(1, { bind: 'process', readyAfter: 5_000 })
    world.pass(4_999)
    expect(world.state(lease)).toBe('granted')
    world.pass(1)
    expect(world.state(lease)).toBe('ready')
    expect(world.timers.size).toBe(0)
  })

  it('is met by READY=1 of a process-bound lease, whose connection may be closed, and of no other', () => {
    const world = new World({ name: 'web' }, { name: 'api' })
    const web = world.acquire(1, { bind: 'process' })
    const api = world.acquire(1, { name: 'api', bind: 'process' })
    const other = world.acquire(1)
    world.step({ type: 'notify', lease: other, message: { kind: 'READY' } })
    for (const lease of [web, api]) world.step({ type: 'notify', lease, message: { kind: 'READY' } })
    expect([web, api, other].map((lease) => world.state(lease))).toEqual(['ready', 'ready', 'granted'])
    world.step({ type: 'hangup', connection: 1 })
    for (const lease of [web, api]) world.step({ type: 'notify', lease, message: { kind: 'STOPPING' } })
    expect([web, api, other].map((lease) => world.state(lease))).toEqual(['draining', 'draining', 'died'])
  })
})

describe('`ready`', () => {
  it('on a ready lease gets the same answer again', () => {
    const world = new World()
    const lease = world.acquire(1)
    world.ready(1, lease)
    world.ready(1, lease)
    expect(world.find('reply')?.body).toEqual({ state: 'ready', promoted: true })
    expect(world.published('ready')).toEqual([])
  })

  it('while draining after ready says draining, and before it ENDED', () => {
    const world = new World()
    const served = world.acquire(1)
    world.ready(1, served)
    const never = world.acquire(2)
    world.step({ type: 'drain', target: { name: 'web' } })
    world.ready(1, served)
    expect(world.find('reply')?.body).toEqual({ state: 'draining', promoted: true })
    world.ready(2, never)
    expect(world.find('refuse')).toMatchObject({ code: 'ENDED', message: expect.stringContaining('drain') })
  })

  it('on one’s own ended lease says why it ended', () => {
    const world = new World()
    const lease = world.acquire(1)
    world.pass(60_000)
    world.ready(1, lease)
    expect(world.find('refuse')).toMatchObject({ code: 'ENDED', message: expect.stringContaining('not ready in time') })
  })

  it('on another’s lease, live or ended or unknown, is DENIED with the same message', () => {
    const world = new World()
    const messages = [() => undefined, () => world.release(1, 1), () => undefined].map((before) => {
      if (world.registry.nextLease === 1) world.acquire(1)
      before()
      world.ready(2, 1)
      return world.find('refuse')
    })
    world.ready(2, 77)
    const unknown = world.find('refuse')
    for (const refusal of messages) {
      expect(refusal?.code).toBe('DENIED')
      expect(refusal?.message).toBe(unknown?.message.replace('77', '1'))
    }
  })

  it('may come on any connection of a process-bound holder’s process, and only there', () => {
    const world = new World()
    const lease = world.acquire(1, { bind: 'process' })
    world.ready(9, lease, 2)
    expect(world.find('refuse')?.code).toBe('DENIED')
    world.ready(9, lease, 1)
    expect(world.find('reply')?.body).toMatchObject({ state: 'ready' })
    const bound = world.acquire(2)
    world.ready(9, bound, 2)
    expect(world.find('refuse')?.code).toBe('DENIED')
  })
})

describe('an ended lease', () => {
  it('is remembered for its owner for a bounded time, then it is as if it had never been', () => {
    const world = new World()
    const first = world.acquire(1)
    world.release(1, first)
    for (let lease = 0; lease < ENDED_REMEMBERED; lease++) world.release(1, world.acquire(1))
    expect(world.registry.ended.size).toBe(ENDED_REMEMBERED)
    world.ready(1, first)
    expect(world.find('refuse')?.code).toBe('DENIED')
    world.ready(1, first + 1)
    expect(world.find('refuse')?.code).toBe('ENDED')
  })
})

describe('`release`', () => {
  it('is answered in every state, also after the end', () => {
    for (const prepare of [
      () => undefined,
      (world: World, lease: number) => world.ready(1, lease),
      (world: World) => world.step({ type: 'drain', target: { name: 'web' } }),
      (world: World) => world.pass(60_000),
      (world: World, lease: number) => world.release(1, lease),
    ]) {
      const world = new World()
      const lease = world.acquire(1)
      prepare(world, lease)
      const request = world.release(1, lease)
      expect(world.find('reply')).toEqual({ type: 'reply', connection: 1, request, body: {} })
      expect(world.timers.size).toBe(0)
    }
  })

  it('ends the lease as released', () => {
    const world = new World()
    const lease = world.acquire(1)
    world.ready(1, lease)
    world.release(1, lease)
    expect(world.state(lease)).toBe('released')
    expect(world.published('released')).toMatchObject([{ lease, generation: 'g1' }])
  })
})

describe('the end', () => {
  it.each(['hangup', 'exit'] as const)('of a connection-bound lease comes with the %s, whichever is first', (type) => {
    for (const prepare of [0, 1, 2]) {
      const world = new World()
      const lease = world.acquire(1)
      if (prepare > 0) world.ready(1, lease)
      if (prepare > 1) world.step({ type: 'drain', target: { lease } })
      world.step(type === 'hangup' ? { type, connection: 1 } : { type, process: 1 })
      expect(world.state(lease)).toBe('died')
      expect(world.timers.size).toBe(0)
    }
  })

  it('of a process-bound lease comes with its process, not with its connection', () => {
    for (const prepare of [0, 1]) {
      const world = new World()
      const lease = world.acquire(1, { bind: 'process' })
      if (prepare > 0) world.ready(1, lease)
      world.step({ type: 'hangup', connection: 1 })
      expect(world.registry.leases.has(lease)).toBe(true)
      world.step({ type: 'exit', process: 1 })
      expect(world.state(lease)).toBe('died')
    }
  })

  it('of a process-bound holder that leaves when asked to drain is a release', () => {
    const world = new World()
    const lease = world.acquire(1, { bind: 'process' })
    world.step({ type: 'drain', target: { lease } })
    world.step({ type: 'exit', process: 1 })
    expect(world.state(lease)).toBe('released')
  })

  it('of a process-bound holder that had to be made to leave is a death', () => {
    const world = new World({ onDrainTimeout: 'term' })
    const lease = world.acquire(1, { bind: 'process' })
    world.step({ type: 'drain', target: { lease } })
    world.pass(30_000)
    world.step({ type: 'exit', process: 1 })
    expect(world.state(lease)).toBe('died')
  })

  it('follows MAINPID to another process of the same uid', () => {
    for (const prepare of [0, 1, 2]) {
      const world = new World()
      const lease = world.acquire(1, { bind: 'process' })
      if (prepare > 0) world.ready(1, lease)
      if (prepare > 1) world.step({ type: 'drain', target: { lease } })
      world.step({ type: 'notify', lease, message: { kind: 'MAINPID', holder: holder(7, { uid: 0 }) } })
      world.step({ type: 'exit', process: 7 })
      expect(world.registry.leases.has(lease)).toBe(true)
      world.step({ type: 'notify', lease, message: { kind: 'MAINPID', holder: holder(7) } })
      world.step({ type: 'exit', process: 1 })
      expect(world.registry.leases.has(lease)).toBe(true)
      world.step({ type: 'exit', process: 7 })
      expect(world.registry.leases.has(lease)).toBe(false)
    }
  })

  it('comes as evicted when the peer is cut off, in every state', () => {
    for (const prepare of [0, 1, 2]) {
      const world = new World()
      const lease = world.acquire(1)
      if (prepare > 0) world.ready(1, lease)
      if (prepare > 1) world.step({ type: 'drain', target: { lease } })
      world.step({ type: 'evict', connection: 1 })
      expect(world.state(lease)).toBe('evicted')
      expect(world.all('tell')).toEqual([])
      expect(world.all('signal')).toEqual([])
    }
  })

  it('of a process-bound lease whose peer is cut off comes with SIGTERM, in every state', () => {
    for (const prepare of [0, 1, 2]) {
      const world = new World()
      const lease = world.acquire(1, { bind: 'process' })
      if (prepare > 0) world.ready(1, lease)
      if (prepare > 1) world.step({ type: 'drain', target: { lease } })
      world.step({ type: 'evict', connection: 1 })
      expect(world.state(lease)).toBe('evicted')
      expect(world.all('signal')).toMatchObject([{ process: 1, lease, signal: 'SIGTERM' }])
    }
  })
})

describe('the watchdog', () => {
  const start = () => {
    const world = new World({ watchdog: 1_000 })
    const lease = world.acquire(1, { bind: 'process' })
    world.step({ type: 'hangup', connection: 1 })
    return { world, lease }
  }

  it('is counted from ready, and every ping puts it off', () => {
    const { world, lease } = start()
    world.step({ type: 'notify', lease, message: { kind: 'WATCHDOG' } })
    world.pass(5_000)
    expect(world.state(lease)).toBe('granted')
    world.step({ type: 'notify', lease, message: { kind: 'READY' } })
    for (let round = 0; round < 3; round++) {
      world.pass(999)
      world.step({ type: 'notify', lease, message: { kind: 'WATCHDOG' } })
    }
    world.pass(999)
    expect(world.state(lease)).toBe('ready')
    world.pass(1)
    expect(world.state(lease)).toBe('evicted')
    expect(world.all('signal')).toMatchObject([{ signal: 'SIGABRT' }])
  })

  it('that is missed is followed by SIGTERM and SIGKILL, 5 s apart, until the process is gone', () => {
    const { world, lease } = start()
    world.step({ type: 'notify', lease, message: { kind: 'READY' } })
    world.pass(20_000)
    expect(world.all('signal').map(({ signal }) => signal)).toEqual(['SIGABRT', 'SIGTERM', 'SIGKILL'])
    const second = start()
    second.world.step({ type: 'notify', lease: second.lease, message: { kind: 'READY' } })
    second.world.pass(1_000)
    second.world.step({ type: 'exit', process: 1 })
    second.world.pass(20_000)
    expect(second.world.last).toEqual([])
  })

  it('also counts for a lease that was ready at its grant, tells an open connection, and stops when it drains', () => {
    const world = new World({ watchdog: 1_000 })
    const lease = world.acquire(1, { bind: 'process', ready: true })
    world.pass(1_000)
    expect(world.find('tell')?.event).toEqual({ event: 'ended', lease, reason: 'evicted' })
    const drained = world.acquire(2, { bind: 'process', ready: true })
    world.step({ type: 'drain', target: { lease: drained } })
    world.pass(20_000)
    expect(world.state(drained)).toBe('draining')
  })

  it('does not run while a former holder holds back the `ready` of an exclusive name: it counts from the answer', () => {
    const world = new World({ mode: 'exclusive', watchdog: 1_000 })
    const former = world.acquire(1, { ready: true })
    const lease = world.acquire(2, { bind: 'process', takeover: true })
    world.ready(2, lease)
    world.step({ type: 'notify', lease, message: { kind: 'WATCHDOG' } })
    world.pass(10_000)
    expect(world.state(lease)).toBe('ready')
    world.release(1, former)
    expect(world.all('reply').map(({ connection }) => connection)).toEqual([1, 2])
    world.pass(999)
    expect(world.state(lease)).toBe('ready')
    world.pass(1)
    expect(world.state(lease)).toBe('evicted')
  })

  it('is not kept for connection-bound leases, which have nothing to feed it with', () => {
    const world = new World({ watchdog: 1_000 })
    const lease = world.acquire(1, { ready: true })
    world.pass(10_000)
    expect(world.state(lease)).toBe('ready')
  })
})
