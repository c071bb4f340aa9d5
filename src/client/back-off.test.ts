import { describe, expect, it } from 'vitest'
import { backOff, FIRST_DELAY, LONGEST_DELAY } from './back-off.ts'

describe('the back-off', () => {
  it('does not wait before the first attempt', () => {
    expect(backOff(0)).toBe(0)
  })

  it('doubles up to its longest, and never waits less than half of that', () => {
    const least = [1, 2, 3, 20, 2000].map((failures) => backOff(failures, () => 0))
    const most = [1, 2, 3, 20, 2000].map((failures) => backOff(failures, () => 1))
    expect(most).toEqual([FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4, LONGEST_DELAY, LONGEST_DELAY])
    expect(least).toEqual(most.map((delay) => delay / 2))
  })
})
