// The interpreter of the lease table: the only place where a lease changes its state and a generation its counts.

import { ACTIONS, type Cause } from './lease-actions.ts'
import { LEASE_TABLE, type LeaseEvent } from './lease-table.ts'
import type { Lease } from './registry.ts'
import { noteLease, type Turn, touch } from './turn.ts'
import type { LeaseState } from './types.ts'

export function fire(turn: Turn, lease: Lease, event: LeaseEvent, cause: Cause = {}): void {
  const row = LEASE_TABLE[lease.state][event]
  if (row.end) lease.ended = row.end
  if (row.next !== lease.state) enter(turn, lease, row.next)
  for (const action of row.do) ACTIONS[action](turn, lease, cause)
  touch(turn, lease.name)
  // A watchdog is fed often, and a restart starts it anew.
  if (lease.id > 0 && event !== 'ping') noteLease(turn, lease)
}

function enter(turn: Turn, lease: Lease, next: LeaseState): void {
  count(lease, -1)
  lease.state = next
  lease.since = turn.now
  count(lease, 1)
}

function count(lease: Lease, by: 1 | -1): void {
  const { generation, name, state } = lease
  if (!generation || state === 'waiting' || state === 'ended') return
  generation[state] += by
  if (state === 'draining') name.draining += by
}
