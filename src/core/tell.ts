// What a holder is told of its lease.

import type { Lease } from './registry.ts'
import type { Turn } from './turn.ts'
import type { Ask, LeaseTerms } from './types.ts'

export function termsOf(lease: Lease, { connection, request }: Ask, readyWithin: number): LeaseTerms {
  const { config } = lease.name
  return {
    connection,
    request,
    lease: lease.id,
    name: config.name,
    generation: lease.generation!.label,
    state: lease.state as LeaseTerms['state'],
    readyWithin,
    mode: config.mode,
  }
}

/** False when there is no connection to tell it on. */
export function tellDrainEvent(turn: Turn, { draining, open, asked, id }: Lease): boolean {
  if (!open || !draining) return false
  const { reason, deadline } = draining
  turn.effects.push({
    type: 'tell',
    connection: asked.connection,
    event: { event: 'drain', lease: id, reason, deadline },
  })
  return true
}
