// Alive for `readyAfter` counts as ready. A process that waits for more on the same connection is alive, but does not serve yet: it
// may need several names, or its turn on an exclusive one. So the clock begins anew while it waits, and when the connection ends.

import type { Lease, Registry } from './registry.ts'
import { startTimer, type Turn } from './turn.ts'

/** A `readyAfter` of 0 must not be looked at again and again. */
const LEAST_POSTPONEMENT = 100

export function startAliveClock(turn: Turn, { id, asked: { readyAfter } }: Lease): void {
  if (readyAfter !== undefined) startTimer(turn, `alive/${id}`, turn.now + readyAfter)
}

/** True when it is not alive yet, and will be looked at again. */
export function postponeAlive(turn: Turn, lease: Lease): boolean {
  const { id, open, asked } = lease
  if (!open || !isWaiting(turn.registry, asked.connection)) return false
  startTimer(turn, `alive/${id}`, turn.now + Math.max(asked.readyAfter ?? 0, LEAST_POSTPONEMENT))
  return true
}

function isWaiting({ byConnection }: Registry, connection: number): boolean {
  return [...(byConnection.get(connection) ?? [])].some(
    ({ state, held }) => state === 'waiting' || held.some((ask) => ask.connection === connection),
  )
}
