// The watchdog of a lease. It counts from the moment that the holder may serve: one whose `ready` is held back by a former holder
// is no program yet, and has nothing to say.

import type { Lease } from './registry.ts'
import { noteLease, startTimer, type Turn } from './turn.ts'

/** Only a process-bound holder has a notify socket to feed it by. */
export function feedWatchdog(turn: Turn, lease: Lease): void {
  const { id, name, asked, serving } = lease
  const { watchdog } = name.config
  if (watchdog === undefined || asked.bind !== 'process' || !serving) return
  if (!turn.registry.timers.has(`watchdog/${id}`)) noteLease(turn, lease)
  startTimer(turn, `watchdog/${id}`, turn.now + watchdog)
}
