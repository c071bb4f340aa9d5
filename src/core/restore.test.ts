import { describe, expect, it } from 'vitest'
import { WEB } from '../../test/core/world.ts'
import { createFold, fold } from './fold.ts'
import { GRACE, restore } from './restore.ts'
import { holderOf, type LeaseRecord, type NameRecord, type PursuitRecord } from './state.ts'

const NOW = 1_000_000
const RECLAIM = 10_000
const HOLDER: LeaseRecord['holder'] = ['pidfd:9', 1009, 33, 34, 'www-data', 'node']

function nameRecord(more: Partial<NameRecord> = {}): NameRecord {
  const generations: NameRecord['generations'] = [{ seq: 1, label: 'g1', state: 'current' }]
  return { config: WEB, current: 1, generations, superseded: [], paused: false, nextLabel: 2, ...more }
}

function leaseRecord(more: Partial<LeaseRecord> = {}): LeaseRecord {
  return { name: 'web', generation: 1, state: 'granted', since: 5, holder: HOLDER, connection: 3, ...more }
}

function restored(values: Record<string, unknown>) {
  const folded = createFold()
  for (const [key, value] of Object.entries(values)) fold(folded, { key, value })
  const watched: number[] = []
  const processOf = (_: unknown, lease: number) => watched.push(lease) + 100
  return { watched, ...restore(folded, { now: NOW, reclaimTimeout: RECLAIM, processOf }) }
}

describe('a registry restored from records', () => {
  it('is empty without any, and counts from 1', () => {
    const { registry, effects } = restored({})
    expect([registry.names.size, registry.leases.size, registry.nextLease, registry.nextGeneration]).toEqual([
      0, 0, 1, 1,
    ])
    expect(effects).toEqual([])
  })

  it.each<[string, Partial<LeaseRecord>, Record<string, number>]>([
    ['waits to be reclaimed, when it was bound to its connection', {}, { 'reclaim/4': NOW + RECLAIM }],
    ['waits for nobody, when it is bound to its process', { bind: 'process' }, {}],
    ['has the rest of its time to be ready', { bind: 'process', readyAt: NOW + 7_000 }, { 'ready/4': NOW + 7_000 }],
    [
      'has a second where its time to be ready is over',
      { bind: 'process', readyAt: NOW - 1 },
      { 'ready/4': NOW + GRACE },
    ],
    ['has a second where less is left', { bind: 'process', drainAt: NOW + 999 }, { 'drain/4': NOW + GRACE }],
    [
      'has all of ready_after again, when its connection was open',
      { bind: 'process', readyAfter: 400, aliveAt: NOW - 5 },
      { 'alive/4': NOW + GRACE },
    ],
    [
      'has all of a longer ready_after again',
      { bind: 'process', readyAfter: 4_000, aliveAt: NOW + 1 },
      { 'alive/4': NOW + 4_000 },
    ],
    [
      'has the rest of ready_after, when it had left its connection',
      { bind: 'process', open: false, readyAfter: 9_000, aliveAt: NOW + 2_000 },
      { 'alive/4': NOW + 2_000 },
    ],
  ])('has a lease that %s', (_, lease, timers) => {
    const { registry, effects } = restored({ 'name/web': nameRecord(), 'lease/4': leaseRecord(lease) })
    expect(Object.fromEntries(registry.timers)).toEqual(timers)
    expect(effects).toEqual(Object.entries(timers).map(([key, at]) => ({ type: 'start-timer', key, at })))
  })

  it('starts the watchdog of a lease anew, whatever was left of it', () => {
    const name = nameRecord({ config: { ...WEB, watchdog: 30_000 } })
    const lease = leaseRecord({ bind: 'process', state: 'ready', serving: true, watchdogAt: NOW + 5 })
    const { registry } = restored({ 'name/web': name, 'lease/4': lease })
    expect(registry.timers.get('watchdog/4')).toBe(NOW + 30_000)
  })

  it.each<[string, Partial<LeaseRecord>, boolean]>([
    ['whose connection was open', {}, true],
    ['that had left its connection', { open: false }, false],
    ['that nobody had claimed since an earlier restart', { open: false, unclaimed: true }, true],
  ])('knows that a lease %s has to be claimed, or has not', (_, lease, unclaimed) => {
    const { registry } = restored({ 'name/web': nameRecord(), 'lease/4': leaseRecord(lease) })
    expect(registry.leases.get(4)).toMatchObject({ unclaimed, open: false, ticket: 0 })
  })

  it('counts the leases of a generation by state', () => {
    const draining = { reason: 'admin', deadline: NOW, enforced: false } as const
    const { registry } = restored({
      'name/web': nameRecord(),
      'lease/1': leaseRecord(),
      'lease/2': leaseRecord({ state: 'ready' }),
      'lease/3': leaseRecord({ state: 'ready', serving: true }),
      'lease/4': leaseRecord({ state: 'draining', serving: true, draining }),
    })
    const web = registry.names.get('web')!
    expect(web.current).toMatchObject({ granted: 1, ready: 2, draining: 1, serving: 2 })
    expect([web.draining, [...web.unsettled].map(({ id }) => id)]).toEqual([1, [2]])
  })

  it('has the leases in the order of their numbers, and those that wait for their turn by who said ready first', () => {
    const ready = (since: number) => leaseRecord({ state: 'ready', since })
    const { registry, watched } = restored({
      'name/web': nameRecord(),
      'lease/10': ready(1),
      'lease/9': ready(3),
      'lease/2': ready(2),
    })
    expect([...registry.leases.keys()]).toEqual([2, 9, 10])
    expect(watched).toEqual([2, 9, 10])
    expect([...registry.names.get('web')!.unsettled].map(({ id }) => id)).toEqual([10, 2, 9])
    expect(registry.nextLease).toBe(11)
  })

  it('remembers an ended lease, also of a generation that is gone, and watches nobody for it', () => {
    const ended = leaseRecord({ state: 'ended', ended: 'expired', generation: 77 })
    const { registry, watched } = restored({ 'name/web': nameRecord(), 'lease/4': ended })
    expect(registry.ended.get(4)).toMatchObject({ ended: 'expired', holder: { process: 0 }, generation: undefined })
    expect([registry.leases.size, watched]).toEqual([0, []])
  })

  it.each<[string, Partial<LeaseRecord>]>([
    ['a name that is not there', { name: 'api' }],
    ['a generation that is not there', { generation: 77 }],
  ])('has no lease of %s', (_, lease) => {
    const { registry, watched } = restored({ 'name/web': nameRecord(), 'lease/4': leaseRecord(lease) })
    expect([registry.leases.size, registry.ended.size, watched, registry.nextLease]).toEqual([0, 0, [], 5])
  })

  it('drops superseded generations without leases, and keeps those that have one, are current or pending', () => {
    const generations: NameRecord['generations'] = [
      { seq: 1, label: 'empty', state: 'superseded' },
      { seq: 2, label: 'held', state: 'superseded' },
      { seq: 3, label: 'now', state: 'current' },
      { seq: 4, label: 'next', state: 'pending', promoteAt: NOW - 50 },
    ]
    const name = nameRecord({ generations, current: 3, superseded: [['empty', 'held']] })
    const { registry } = restored({ 'lease/1': leaseRecord({ generation: 2 }), 'name/web': name })
    const web = registry.names.get('web')!
    expect([...web.generations].map(({ label }) => label)).toEqual(['held', 'now', 'next'])
    expect([web.current.label, [...web.pending].map(({ label }) => label)]).toEqual(['now', ['next']])
    expect([...web.superseded]).toEqual([['empty', 'held']])
    expect([registry.byGeneration.get(4), registry.byGeneration.size]).toEqual([web, 1])
    expect(registry.timers.get('promote/4')).toBe(NOW + GRACE)
    expect(registry.nextGeneration).toBe(5)
  })

  it('has a removed name as removed, with a second at the least to drain', () => {
    const { registry } = restored({ 'name/web': nameRecord({ removedAt: 0 }) })
    expect([registry.names.get('web')!.removed, registry.timers.get('removed/web')]).toEqual([true, NOW + GRACE])
  })

  it('goes on with a pursuit whose lease is over, with signals of its own', () => {
    const record: PursuitRecord = { holder: HOLDER, signals: ['SIGKILL'], at: NOW + 3_000 }
    const { registry } = restored({ 'pursuit/8': record })
    expect(registry.pursuits.get(8)).toMatchObject({
      lease: 8,
      signals: ['SIGKILL'],
      holder: { process: 101, pid: 1009 },
    })
    expect(registry.timers.get('kill/8')).toBe(NOW + 3_000)
    registry.pursuits.get(8)!.signals.shift()
    expect(record.signals).toEqual(['SIGKILL'])
  })

  it('has a unit of a holder only where one was known', () => {
    const known = { identity: 'pidfd:9', pid: 1009, uid: 33, gid: 34, user: 'www-data', command: 'node' }
    expect(holderOf(HOLDER)).toStrictEqual(known)
    expect(holderOf(['pidfd:9', 1009, 33, 34, 'www-data', 'node', 'web.service'])).toStrictEqual({
      ...known,
      unit: 'web.service',
    })
  })
})
