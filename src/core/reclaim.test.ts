import { describe, expect, it } from 'vitest'
import { holder, World } from '../../test/core/world.ts'

/** A restart closes all connections: who was connection 1 and process 1 comes back as connection 11, still process 1. */
const BACK = 11

describe('a restart of the broker', () => {
  it('keeps leases of both kinds with all that is known of them, and gives no number out twice', () => {
    const world = new World({ drainTimeout: 20_000 })
    const bound = world.acquire(1, { bind: 'process', drainSignal: 'QUIT', label: 'blue', holder: holder(1) })
    const other = world.acquire(2)
    world.ready(2, other)
    world.step({ type: 'notify', lease: bound, message: { kind: 'STATUS', text: 'warm' } })
    world.step({ type: 'drain', target: { lease: bound } })
    const released = world.acquire(3)
    world.release(3, released)
    world.restart()
    expect(world.registry.leases.get(bound)).toMatchObject({
      state: 'draining',
      status: 'warm',
      draining: { reason: 'admin', deadline: world.now + 20_000 },
      asked: { bind: 'process', drainSignal: 'QUIT', label: 'blue' },
      generation: { label: 'g1' },
    })
    expect(world.state(other)).toBe('ready')
    expect(world.acquire(4)).toBe(released + 1)
  })

  it('keeps pauses, superseded generations, and the time that a pending one has', () => {
    const world = new World({ promoteTimeout: 5_000 })
    const next = world.acquire(1, { takeover: true, generation: 'v2' })
    world.ready(1, next)
    world.acquire(2, { takeover: true, generation: 'v3' })
    world.step({ type: 'pause', name: 'web', drain: false })
    world.pass(2_000)
    world.restart()
    const web = world.registry.names.get('web')!
    expect([web.paused, web.current.label, web.superseded.get('g1')]).toEqual([true, 'v2', 'v2'])
    expect(world.timers.get('promote/3')).toBe(world.now + 3_000)
    world.pass(3_000)
    expect(world.published('rollback')).toMatchObject([{ generation: 'v3', reason: 'timeout' }])
  })

  it('puts a deadline that passed while there was no broker off for a second', () => {
    const world = new World({ readyTimeout: 1_000 })
    const lease = world.acquire(1)
    world.restart(5_000)
    world.reclaim(BACK, lease, 1)
    expect(world.find('reclaimed')).toMatchObject({ state: 'granted', readyWithin: 1_000 })
    world.pass(999)
    expect(world.state(lease)).toBe('granted')
    world.pass(1)
    expect(world.state(lease)).toBe('expired')
  })

  it('goes on with the signals that are due to a process which does not go', () => {
    const world = new World({ drainTimeout: 1_000, onDrainTimeout: 'kill' })
    const lease = world.acquire(1, { bind: 'process' })
    world.step({ type: 'drain', target: { lease } })
    world.pass(1_000)
    world.restart()
    world.pass(5_000)
    expect(world.all('signal')).toMatchObject([{ process: 1, signal: 'SIGKILL' }])
  })

  it('starts the clock of a program anew when its connection ended with the broker', () => {
    const world = new World()
    const lease = world.acquire(1, { bind: 'process', readyAfter: 5_000 })
    world.pass(4_000)
    world.restart()
    world.pass(4_999)
    expect(world.state(lease)).toBe('granted')
    world.pass(1)
    expect(world.state(lease)).toBe('ready')
  })

  it('gives a watchdog its whole time again', () => {
    const world = new World({ watchdog: 3_000 })
    const lease = world.acquire(1, { bind: 'process', ready: true })
    world.restart(60_000)
    world.pass(2_999)
    expect(world.state(lease)).toBe('ready')
    world.pass(1)
    expect(world.state(lease)).toBe('evicted')
  })

  it('forgets waiters, which ask again', () => {
    const world = new World({ mode: 'exclusive' })
    world.acquire(1)
    world.ask(2, { wait: -1 })
    world.restart()
    expect(world.registry.waiting.size).toBe(0)
  })
})

describe('a lease whose connection was lost in a restart', () => {
  it('goes on when its process reclaims it, and ends with the new connection', () => {
    const world = new World()
    const lease = world.acquire(1, { label: 'blue' })
    world.ready(1, lease)
    world.restart()
    world.reclaim(BACK, lease, 1)
    expect(world.find('reclaimed')).toMatchObject({
      connection: BACK,
      lease,
      name: 'web',
      state: 'ready',
      mode: 'shared',
    })
    world.pass(60_000)
    expect(world.state(lease)).toBe('ready')
    world.step({ type: 'hangup', connection: BACK })
    expect(world.state(lease)).toBe('died')
  })

  it('is over as died when nobody reclaims it in time', () => {
    const world = new World()
    const lease = world.acquire(1)
    world.restart()
    world.pass(9_999)
    expect(world.state(lease)).toBe('granted')
    world.pass(1)
    expect(world.published('died')).toMatchObject([{ lease }])
    world.reclaim(BACK, lease, 1)
    expect(world.find('refuse')).toMatchObject({ code: 'ENDED' })
  })

  it('is over when its process is', () => {
    const world = new World()
    const lease = world.acquire(1)
    world.restart()
    world.step({ type: 'exit', process: 1 })
    expect(world.state(lease)).toBe('died')
  })

  it('is denied to another process, under another name, and when there is no such lease, in the same words', () => {
    const world = new World({ name: 'web' }, { name: 'api' })
    const lease = world.acquire(1)
    world.restart()
    world.reclaim(12, lease, 2)
    const message = world.find('refuse')!.message
    expect(world.find('refuse')).toMatchObject({ code: 'DENIED' })
    world.reclaim(BACK, lease, 1, 'api')
    expect(world.find('refuse')).toMatchObject({ code: 'DENIED', message: message.replace('web', 'api') })
    world.reclaim(BACK, 99, 1)
    expect(world.find('refuse')).toMatchObject({ code: 'DENIED', message: message.replace(`${lease}`, '99') })
  })

  it('tells who reclaims it that it is to drain', () => {
    const world = new World()
    const lease = world.acquire(1)
    world.ready(1, lease)
    world.step({ type: 'drain', target: { lease }, timeout: 20_000 })
    world.restart()
    world.reclaim(BACK, lease, 1)
    expect(world.find('reclaimed')).toMatchObject({ state: 'draining' })
    const event = { event: 'drain', lease, reason: 'admin', deadline: world.now + 20_000 }
    expect(world.find('tell')).toEqual({ type: 'tell', connection: BACK, event })
  })

  it('is told why it is over, when that was before the restart', () => {
    const world = new World({ readyTimeout: 1_000 })
    const lease = world.acquire(1)
    world.pass(1_000)
    world.restart()
    world.reclaim(BACK, lease, 1)
    expect(world.find('refuse')).toMatchObject({ code: 'ENDED', details: { reason: 'expired' } })
  })

  it('moves to the connection that reclaims it last; the first is told that it has it no more', () => {
    const world = new World({ mode: 'exclusive' })
    const former = world.acquire(2)
    world.ready(2, former)
    const lease = world.acquire(1, { takeover: true })
    world.restart()
    world.reclaim(12, former, 2)
    world.reclaim(BACK, lease, 1)
    const held = world.ready(BACK, lease)
    world.reclaim(21, lease, 1)
    expect(world.find('tell')?.event).toEqual({ event: 'ended', lease, reason: 'revoked' })
    expect(world.find('tell')?.connection).toBe(BACK)
    expect(world.find('refuse')).toMatchObject({ connection: BACK, request: held, code: 'ENDED' })
    world.ready(BACK, lease)
    expect(world.find('refuse')).toMatchObject({ connection: BACK, code: 'ENDED' })
    world.release(BACK, lease)
    expect(world.find('reply')).toMatchObject({ connection: BACK, body: {} })
    world.step({ type: 'hangup', connection: BACK })
    expect(world.state(lease)).toBe('ready')
    world.reclaim(21, lease, 1)
    expect(world.all('tell')).toEqual([])
  })

  it.each(['granted', 'ready', 'draining'] as const)('can be reclaimed, and be forsaken, when it is %s', (state) => {
    const prepare = () => {
      const world = new World()
      const lease = world.acquire(1)
      if (state !== 'granted') world.ready(1, lease)
      if (state === 'draining') world.step({ type: 'drain', target: { lease } })
      world.restart()
      return { world, lease }
    }
    const { world, lease } = prepare()
    world.reclaim(BACK, lease, 1)
    expect(world.find('reclaimed')).toMatchObject({ lease, state })
    const lost = prepare()
    lost.world.pass(10_000)
    expect(lost.world.state(lost.lease)).toBe('died')
    expect(lost.world.registry.leases.size).toBe(0)
  })

  it('ends first when its process asks for the name anew without having listed it', () => {
    const world = new World({ mode: 'exclusive' })
    const lost = world.acquire(1)
    world.restart()
    const lease = world.acquire(BACK, { holder: holder(1), ready: true })
    expect(world.state(lost)).toBe('died')
    expect(world.state(lease)).toBe('ready')
  })

  it('is kept when its process listed it, or asks for another name, or it is another process that asks', () => {
    const world = new World({ name: 'web' }, { name: 'api' })
    const lease = world.acquire(1)
    world.restart()
    world.acquire(BACK, { holder: holder(1), name: 'api' })
    world.acquire(12)
    world.acquire(BACK, { holder: holder(1), reclaims: [lease] })
    expect(world.state(lease)).toBe('granted')
  })
})

describe('a process-bound lease after a restart', () => {
  it('needs no reclaim', () => {
    const world = new World()
    const lease = world.acquire(1, { bind: 'process', ready: true })
    world.restart()
    world.pass(3_600_000)
    expect(world.state(lease)).toBe('ready')
  })

  it('is told by event on the connection that reclaims it, and by signal without one', () => {
    const world = new World()
    const lease = world.acquire(1, { bind: 'process' })
    const silent = world.acquire(2, { bind: 'process' })
    world.restart()
    world.reclaim(BACK, lease, 1)
    world.step({ type: 'drain', target: { name: 'web' } })
    expect(world.all('tell')).toMatchObject([{ connection: BACK, event: { event: 'drain', lease } }])
    expect(world.all('signal')).toMatchObject([{ process: 2, lease: silent, signal: 'SIGTERM' }])
  })

  it('that a program had left its connection for is not ended by a new request of that program', () => {
    const world = new World()
    const running = world.acquire(1, { bind: 'process' })
    world.step({ type: 'hangup', connection: 1 })
    const starting = world.acquire(2, { bind: 'process' })
    world.restart()
    world.acquire(BACK, { holder: holder(1) })
    world.acquire(12, { holder: holder(2) })
    expect([world.state(running), world.state(starting)]).toEqual(['granted', 'died'])
  })
})

describe('an exclusive name that was being handed over at a restart', () => {
  it('answers the newcomer when it asks again and the former holder has gone, in whichever order they come back', () => {
    for (const newcomerFirst of [true, false]) {
      const world = new World({ mode: 'exclusive' })
      const former = world.acquire(1)
      world.ready(1, former)
      const next = world.acquire(2, { takeover: true })
      world.ready(2, next)
      world.restart()
      if (newcomerFirst) world.reclaim(12, next, 2)
      world.reclaim(BACK, former, 1)
      expect(world.find('tell')?.event).toMatchObject({ event: 'drain', reason: 'takeover' })
      if (!newcomerFirst) world.reclaim(12, next, 2)
      const asked = world.ready(12, next)
      expect(world.find('reply')).toBeUndefined()
      world.release(BACK, former)
      const answer = { connection: 12, request: asked, body: { state: 'ready', promoted: true } }
      expect(world.all('reply')).toContainEqual({ type: 'reply', ...answer })
    }
  })

  it('is not blocked by a newcomer that does not come back', () => {
    const world = new World({ mode: 'exclusive' })
    const former = world.acquire(1)
    world.ready(1, former)
    const next = world.acquire(2, { takeover: true })
    world.ready(2, next)
    world.restart()
    world.reclaim(BACK, former, 1)
    world.release(BACK, former)
    world.ask(3, { wait: -1 })
    world.pass(10_000)
    expect(world.state(next)).toBe('died')
    expect(world.find('grant')).toMatchObject({ connection: 3 })
  })
})
