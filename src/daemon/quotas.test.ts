import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Quotas } from './quotas.ts'

const quotas = () => new Quotas({ maxConnectionsPerUid: 2, maxRequestsPerUid: 3 })

it('gives a uid its connections and no more, and leaves the others theirs', () => {
  const all = quotas()
  expect([1, 1, 1, 2].map((uid) => all.connected(uid))).toEqual([true, true, false, true])
})

it('gives a connection back when it ends, and once', () => {
  const all = quotas()
  all.connected(1)
  all.connected(1)
  all.disconnected(1)
  expect([all.connected(1), all.connected(1)]).toEqual([true, false])
})

it('knows nothing of a uid that never connected', () => {
  const all = quotas()
  all.disconnected(7)
  expect([1, 2, 3, 4].map(() => all.requested(7, 0))).toEqual([true, true, true, true])
})

it('counts the requests of one second, from its first millisecond to its last', () => {
  const all = quotas()
  all.connected(1)
  expect([5000, 5500, 5999, 5999].map((now) => all.requested(1, now))).toEqual([true, true, true, false])
  expect(all.requested(1, 6000)).toBe(true)
})

it('gives no fresh rate to a uid that connects again', () => {
  const all = quotas()
  all.connected(1)
  for (let i = 0; i < 3; i++) all.requested(1, 1000)
  all.disconnected(1)
  all.connected(1)
  expect(all.requested(1, 1999)).toBe(false)
})

it('never lets a uid have more connections than its limit, whatever the order', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 2 })), { maxLength: 60 })
  fc.assert(
    fc.property(steps, (asked) => {
      const all = quotas()
      const open = [0, 0, 0]
      for (const [opens, uid] of asked) {
        const had = open[uid]!
        if (opens) {
          expect(all.connected(uid)).toBe(had < 2)
          open[uid] = Math.min(2, had + 1)
        } else if (had > 0) {
          all.disconnected(uid)
          open[uid] = had - 1
        }
      }
    }),
  )
})
