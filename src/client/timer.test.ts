import { afterEach, expect, it, vi } from 'vitest'
import { startTimer } from './timer.ts'

afterEach(() => void vi.useRealTimers())

it('acts when the time is over, at once for one that has passed', () => {
  vi.useFakeTimers()
  const act = vi.fn()
  startTimer(act, 5)
  startTimer(act, -5)
  vi.advanceTimersByTime(1)
  expect(act).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(4)
  expect(act).toHaveBeenCalledTimes(2)
})

it('never acts after what setTimeout cannot count to', () => {
  vi.useFakeTimers()
  const act = vi.fn()
  for (const long of [2 ** 31, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]) {
    expect(startTimer(act, long)).toBe(undefined)
  }
  expect(startTimer(act, 2 ** 31 - 1)).not.toBe(undefined)
  vi.advanceTimersByTime(2 ** 31 - 2)
  expect(act).not.toHaveBeenCalled()
})
