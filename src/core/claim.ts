// A lease comes to another connection of its process. After a restart of the broker that is how its holder gets its events again; a
// second time the first connection is told that it has it no more.

import { movedMessage } from './messages.ts'
import { attach, detach, type Lease } from './registry.ts'
import { tellDrainEvent, termsOf } from './tell.ts'
import { refuse, stopTimer, type Turn } from './turn.ts'
import type { Ask } from './types.ts'

export function claim(turn: Turn, lease: Lease, ask: Ask): void {
  const { connection } = lease.asked
  if (connection !== ask.connection) {
    if (lease.open) leave(turn, lease, connection)
    else detach(turn.registry.byConnection, connection, lease)
    lease.former?.delete(ask.connection)
    lease.asked = { ...lease.asked, connection: ask.connection }
    attach(turn.registry.byConnection, ask.connection, lease)
  }
  lease.open = true
  lease.unclaimed = false
  stopTimer(turn, `reclaim/${lease.id}`)
  const readyAt = turn.registry.timers.get(`ready/${lease.id}`)
  const readyWithin = readyAt === undefined ? lease.name.config.readyTimeout : Math.max(0, readyAt - turn.now)
  turn.effects.push({ type: 'reclaimed', ...termsOf(lease, ask, readyWithin) })
  tellDrainEvent(turn, lease)
}

/** Until it closes, the former connection is in the index, so that it is forgotten then. */
function leave(turn: Turn, lease: Lease, connection: number): void {
  const event = { event: 'ended', lease: lease.id, reason: 'revoked' } as const
  turn.effects.push({ type: 'tell', connection, event })
  const held = lease.held.filter((ask) => ask.connection === connection)
  for (const ask of held) refuse(turn, ask, 'ENDED', movedMessage(lease))
  lease.held = lease.held.filter((ask) => ask.connection !== connection)
  lease.former = new Set(lease.former).add(connection)
}
