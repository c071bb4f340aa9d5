import { expect, it } from 'vitest'
import { LineQuota } from './line-quota.ts'

it('takes a burst of one user, then a rate, tells how many were over it, and leaves the others alone', () => {
  const told: [string, number][] = []
  const quota = new LineQuota((whose, lines) => told.push([whose, lines]))
  const taken = (whose: string, count: number, now: number) =>
    Array.from({ length: count }, () => quota.takes(whose, now)).filter(Boolean).length
  expect(taken('uid 1', 6000, 0)).toBe(5000)
  expect(taken('uid 2', 10, 0)).toBe(10)
  expect(taken('uid 1', 1000, 2000)).toBe(100)
  quota.summarise()
  quota.summarise()
  expect(told).toEqual([['uid 1', 1900]])
  expect(taken('uid 1', 6000, 1_000_000)).toBe(5000)
  quota.summarise()
})
