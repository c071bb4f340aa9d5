import { describe, expect, it } from 'vitest'
import { holder, World } from '../../../test/core/world.ts'
import { createRegistry } from '../../core/registry.ts'
import type { Effect } from '../../core/types.ts'
import { lastConnection, owedBy } from './past.ts'

const AT = 1_000

const tell = (lease: number): Effect => ({
  type: 'tell',
  connection: 1,
  event: { event: 'drain', lease, reason: 'admin', deadline: AT },
})
const drainOf = (lease: number): Effect => ({ type: 'publish', event: { event: 'drain', at: AT, name: 'web', lease } })
const signal = (lease: number): Effect => ({ type: 'signal', process: 1, lease, signal: 'SIGKILL' })

describe('what a broker owes its holders', () => {
  const world = new World()
  const plain = world.acquire(1)
  const bound = world.acquire(2, { bind: 'process', holder: holder(2) })
  const quits = world.acquire(3, { bind: 'process', drainSignal: 'QUIT', holder: holder(3) })
  const owed = (...effects: Effect[]) => {
    return owedBy(effects, world.registry).map(({ key, value }) => {
      const { holder, signal } = value as { holder: { pid: number }; signal: string }
      return [key, holder.pid, signal]
    })
  }

  it.each<[string, Effect[], unknown[]]>([
    ['nothing, for no effects', [], []],
    ['a signal that is decided', [signal(plain)], [[`owed/${plain}`, 1001, 'SIGKILL']]],
    [
      'SIGTERM in place of the event that a drain begins',
      [tell(bound), drainOf(bound)],
      [[`owed/${bound}`, 1002, 'SIGTERM']],
    ],
    [
      'the drain signal of the lease, whichever effect comes first',
      [drainOf(quits), tell(quits)],
      [[`owed/${quits}`, 1003, 'SIGQUIT']],
    ],
    ['nothing for an event that tells of a drain again', [tell(bound)], []],
    ['nothing for a drain that tells nobody', [drainOf(bound)], []],
    ['nothing for the drain of another lease', [tell(bound), drainOf(quits)], []],
    ['nothing to a holder that has to come back', [tell(plain), drainOf(plain)], []],
    ['nothing to a lease that nobody knows', [signal(99), tell(98), drainOf(98)], []],
    [
      'all of a step, in its order',
      [signal(quits), tell(bound), drainOf(bound)],
      [
        [`owed/${quits}`, 1003, 'SIGKILL'],
        [`owed/${bound}`, 1002, 'SIGTERM'],
      ],
    ],
  ])('is %s', (_, effects, expected) => {
    expect(owed(...effects)).toEqual(expected)
  })

  it('is nothing for an event that says that a lease ended', () => {
    const ended: Effect = { type: 'tell', connection: 2, event: { event: 'ended', lease: bound, reason: 'revoked' } }
    expect(owed(ended, drainOf(bound))).toEqual([])
  })

  it('is a signal also to the holder of a lease that is over and pursued', () => {
    const registry = createRegistry(1)
    registry.pursuits.set(8, { lease: 8, holder: holder(8), signals: [] })
    expect(owedBy([signal(8)], registry)).toEqual([{ key: 'owed/8', value: { holder: holder(8), signal: 'SIGKILL' } }])
  })
})

describe('the last connection of the broker before', () => {
  it('is 0 without leases, and else the highest that a lease was asked on', () => {
    expect(lastConnection(createRegistry(1))).toBe(0)
    const world = new World()
    for (const connection of [3, 17, 5]) world.acquire(connection)
    expect(lastConnection(world.registry)).toBe(17)
  })
})
