import { describe, expect, it } from 'vitest'
import { holder, World } from '../../test/core/world.ts'
import { fire } from './lease-life.ts'
import { LEASE_EVENTS, LEASE_STATES, LEASE_TABLE, type LeaseEvent } from './lease-table.ts'
import type { Lease } from './registry.ts'
import type { Turn } from './turn.ts'
import type { LeaseState } from './types.ts'

/** A lease brought into each state by the front door. */
const IN_STATE: Record<LeaseState, () => { world: World; lease: Lease }> = {
  waiting() {
    const world = new World({ maxHolders: 1 })
    world.acquire(1)
    world.ask(2, { wait: 1_000, bind: 'process' })
    return { world, lease: [...world.registry.waiting.values()][0]! }
  },
  granted: () => taken(() => undefined),
  ready: () => taken((world, lease) => world.ready(1, lease)),
  draining: () => taken((world, lease) => world.step({ type: 'drain', target: { lease } })),
  ended: () => taken((world, lease) => world.release(1, lease)),
}

function taken(prepare: (world: World, lease: number) => void): { world: World; lease: Lease } {
  const world = new World()
  const id = world.acquire(1, { bind: 'process' })
  const lease = world.registry.leases.get(id)!
  prepare(world, id)
  return { world, lease }
}

/** What cannot happen in a state, or says nothing new there. */
const IGNORED: Record<LeaseState, readonly LeaseEvent[]> = {
  waiting: [
    'ready',
    'release',
    'expire',
    'drain',
    'stopping',
    'overdue',
    'ping',
    'starved',
    'revoke',
    'undelivered',
    'status',
    'move',
    'reclaim',
    'forsake',
  ],
  granted: ['grant', 'grant-ready', 'refuse', 'overdue', 'ping', 'starved'],
  ready: ['grant', 'grant-ready', 'refuse', 'expire', 'overdue'],
  draining: ['grant', 'grant-ready', 'refuse', 'expire', 'stopping', 'ping', 'starved'],
  ended: LEASE_EVENTS.filter((event) => !['ready', 'release', 'reclaim'].includes(event)),
}

function send(world: World, lease: Lease, event: LeaseEvent): Turn {
  const context = { now: world.now, allows: () => true }
  const turn: Turn = { registry: world.registry, context, now: world.now, effects: [], touched: [] }
  fire(turn, lease, event, { reason: 'admin', deadline: world.now, text: 'busy', holder: holder(9) })
  return turn
}

describe('the lease table', () => {
  it('is total: every state has a row for every event, and no others', () => {
    expect(Object.keys(LEASE_TABLE)).toEqual([...LEASE_STATES])
    for (const state of LEASE_STATES) expect(Object.keys(LEASE_TABLE[state])).toEqual([...LEASE_EVENTS])
  })

  it('never leaves `ended`, never returns to `waiting` and never undoes a drain', () => {
    const ranks = Object.fromEntries(LEASE_STATES.map((state, rank) => [state, rank]))
    for (const state of LEASE_STATES) {
      for (const { next } of Object.values(LEASE_TABLE[state])) {
        expect(ranks[next]).toBeGreaterThanOrEqual(ranks[state]!)
      }
    }
  })

  it('says how it ended in exactly the rows in which a granted lease ends', () => {
    for (const state of ['granted', 'ready', 'draining'] as const) {
      for (const row of Object.values(LEASE_TABLE[state])) expect(row.end !== undefined).toBe(row.next === 'ended')
    }
  })

  it.each(LEASE_STATES)('has no effect in state %s for what cannot happen there', (state) => {
    for (const event of IGNORED[state]) {
      const { world, lease } = IN_STATE[state]()
      const before = { ...lease }
      const { effects } = send(world, lease, event)
      expect(effects, event).toEqual([])
      expect(lease, event).toEqual(before)
    }
  })

  it('notes a status in every state that has a holder', () => {
    for (const state of ['granted', 'ready', 'draining'] as const) {
      const { world, lease } = IN_STATE[state]()
      send(world, lease, 'status')
      expect(lease.status).toBe('busy')
    }
  })

  it('takes a lease away in every state that has a holder, also when its descriptors were not delivered', () => {
    for (const state of ['granted', 'ready', 'draining'] as const) {
      for (const event of ['revoke', 'undelivered'] as const) {
        const { world, lease } = IN_STATE[state]()
        const { effects } = send(world, lease, event)
        expect(lease.ended).toBe('revoked')
        expect(world.registry.leases.has(lease.id)).toBe(false)
        expect(effects.some(({ type }) => type === 'tell')).toBe(event === 'revoke')
      }
    }
  })

  it('remembers in every state that the connection is closed', () => {
    for (const state of ['granted', 'ready', 'draining'] as const) {
      const { world, lease } = IN_STATE[state]()
      send(world, lease, 'disconnect')
      expect(lease.open).toBe(false)
      expect(lease.state).toBe(state)
    }
  })
})
