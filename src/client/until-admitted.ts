// LIMIT is a matter of a second: everybody comes back to a broker that has just started, and what is over a user's rate is refused. So what
// a lease depends on is asked again, each time after a longer pause.

import { setTimeout as sleep } from 'node:timers/promises'
import { within } from './abort.ts'
import { backOff } from './back-off.ts'
import type { Connection, RequestOptions } from './connection.ts'
import { hasCode } from './failures.ts'
import { stayAlive } from './stay-alive.ts'

/** Calls `ask` until it is not refused with LIMIT: while the connection lives, and for `timeout` ms at most. */
export async function untilAdmitted<T>(
  connection: Pick<Connection, 'ended'>,
  ask: () => Promise<T>,
  { signal, timeout = Number.POSITIVE_INFINITY, background = false }: Omit<RequestOptions, 'answered' | 'unwanted'>,
): Promise<T> {
  const deadline = performance.now() + timeout
  for (let refusals = 1; ; refusals++) {
    try {
      return await ask()
    } catch (error) {
      const delay = backOff(refusals)
      if (!hasCode(error, 'LIMIT') || error === connection.ended || performance.now() + delay >= deadline) throw error
      const waiting = () => within(sleep(delay, undefined, { ref: false }), { signal })
      await (background ? waiting() : stayAlive(waiting))
    }
  }
}
