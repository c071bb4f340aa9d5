// Random histories of acquire, ready, release, hangup, exit, evict, timers, pause, resume, lost, regained, drain, reload, and restarts of the
// broker with reclaims after them. Always:
// 1. never a promotion without its quorum
// 2. an older generation is drained, and a lease exactly once
// 3. never two leases of an exclusive name that may accept, over all generations
// 4. a waiter is never forgotten while there is room
// 5. no lease outlives its holder
// 6. every effect names a live lease, one that just ended, or one that was taken away from a process still there
// 7. each request is answered exactly once
// 8. timers that were started are stopped or fire
// 9. a paused or lost name grants nothing
// 10. after each step its records restore the same registry; without them, the one before the step
// FD_BROKER_HISTORIES sets how many histories are tried.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { History, histories } from '../../test/core/history.ts'

const RUNS = Number(process.env.FD_BROKER_HISTORIES ?? 2_000)

it(`holds its invariants in ${RUNS} random histories`, { timeout: 0 }, () => {
  let granted = 0
  const property = fc.property(histories, ({ config, acts }) => {
    const history = new History(config)
    history.run(acts)
    history.close()
    granted += history.registry.nextLease - 1
  })
  fc.assert(property, { numRuns: RUNS })
  expect(granted).toBeGreaterThan(RUNS)
})

const MIRRORED = Math.ceil(RUNS / 10)

it(`restores the same registry after each step of ${MIRRORED} random histories`, { timeout: 0 }, () => {
  const property = fc.property(histories, ({ config, acts }) => {
    const history = new History(config, { mirror: true })
    history.run(acts)
    history.close()
  })
  fc.assert(property, { numRuns: MIRRORED })
})
