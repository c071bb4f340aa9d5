import { describe, expect, it } from 'vitest'
import { holder, World } from '../../test/core/world.ts'
import { holdersView, listView } from './views.ts'

const list = (world: World) => [...listView(world.registry)]

function stateOf(world: World): string | undefined {
  return list(world)[0]?.state
}

describe('the list', () => {
  it('counts the holders and waiters of every name', () => {
    const world = new World({ maxHolders: 2 }, { name: 'api', mode: 'exclusive' })
    world.acquire(1, { ready: true })
    world.acquire(2)
    world.ask(3, { wait: -1 })
    const pending = world.acquire(4, { takeover: true })
    world.step({ type: 'drain', target: { lease: pending } })
    expect(list(world)).toEqual([
      {
        name: 'web',
        mode: 'shared',
        state: 'saturated',
        generation: 'g1',
        holders: { granted: 1, ready: 1, draining: 1 },
        waiting: 1,
      },
      {
        name: 'api',
        mode: 'exclusive',
        state: 'idle',
        generation: 'g1',
        holders: { granted: 0, ready: 0, draining: 0 },
        waiting: 0,
      },
    ])
  })

  it('names the first state that applies', () => {
    const world = new World({ maxHolders: 1 })
    expect(stateOf(world)).toBe('idle')
    world.acquire(1, { ready: true })
    expect(stateOf(world)).toBe('ok')
    world.ask(2, { wait: -1 })
    expect(stateOf(world)).toBe('saturated')
    world.step({ type: 'pause', name: 'web', drain: false })
    expect(stateOf(world)).toBe('paused')
  })

  it('does not call an exclusive name with a standby saturated', () => {
    const world = new World({ mode: 'exclusive' })
    world.acquire(1, { ready: true })
    world.ask(2, { wait: -1 })
    expect(stateOf(world)).toBe('ok')
  })

  it('shows a hand-over with the pid that waits and the pids that are waited for', () => {
    const world = new World({ mode: 'exclusive' })
    world.acquire(1, { ready: true })
    const next = world.acquire(2, { takeover: true })
    expect(stateOf(world)).toBe('ok')
    world.ready(2, next)
    expect(list(world)[0]).toMatchObject({
      state: 'handing-over',
      generation: 'g2',
      handingOverTo: 1002,
      waitingFor: [1001],
    })
    world.release(1, 1)
    expect(stateOf(world)).toBe('ok')
  })
})

describe('the holders', () => {
  it('are shown by lease id, each with what is known and nothing else', () => {
    const world = new World({}, { name: 'api' })
    const old = world.acquire(1, { label: 'blue' })
    const api = world.acquire(2, { name: 'api', bind: 'process', holder: holder(2, { unit: 'api.service' }) })
    const next = world.acquire(3)
    world.step({ type: 'notify', lease: api, message: { kind: 'STATUS', text: 'warm' } })
    const began = world.now
    world.pass(5)
    world.step({ type: 'drain', target: { lease: old } })
    const holders = [...holdersView(world.registry)]
    expect(holders.map(({ process }) => process)).toEqual([1, 2, 3])
    const views = holders.map(({ view }) => view)
    expect(views.map(({ lease }) => lease)).toEqual([old, api, next])
    const person = { uid: 33, gid: 33, user: 'www-data', generation: 'g1' }
    expect(views).toEqual([
      {
        ...person,
        lease: old,
        name: 'web',
        pid: 1001,
        state: 'draining',
        since: world.now,
        deadline: world.now + 30_000,
        label: 'blue',
      },
      {
        ...person,
        lease: api,
        name: 'api',
        pid: 1002,
        state: 'granted',
        since: began,
        status: 'warm',
      },
      { ...person, lease: next, name: 'web', pid: 1003, state: 'granted', since: began },
    ])
    expect([...holdersView(world.registry, 'api')].map(({ view }) => view.lease)).toEqual([api])
    expect([...holdersView(world.registry, 'nil')]).toEqual([])
  })

  it.each([undefined, 'web'])('are shown as they are when their turn comes (of: %s)', (only) => {
    const world = new World({})
    const [first, second, third] = [world.acquire(1), world.acquire(2), world.acquire(3)]
    const views = holdersView(world.registry, only)
    expect(views.next().value).toMatchObject({ view: { lease: first } })
    world.step({ type: 'release', connection: 2, request: 9, lease: second })
    world.step({ type: 'drain', target: { lease: third } })
    const fourth = world.acquire(4)
    expect([...views]).toMatchObject([{ view: { lease: third, state: 'draining' } }, { view: { lease: fourth } }])
  })
})
