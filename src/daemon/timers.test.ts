import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MILLISECONDS_MAX } from '../protocol/limits.ts'
import { Timers } from './timers.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

function timers() {
  const fired: string[] = []
  return { fired, all: new Timers((key) => fired.push(key)) }
}

it('fires each key once, at its time and in the order of the times', () => {
  const { all, fired } = timers()
  all.start('late', 1_000_200)
  all.start('early', 1_000_100)
  vi.advanceTimersByTime(99)
  expect(fired).toEqual([])
  vi.advanceTimersByTime(1)
  expect(fired).toEqual(['early'])
  vi.advanceTimersByTime(10_000)
  expect(fired).toEqual(['early', 'late'])
})

it('fires a time that is past at once, but not within the call', () => {
  const { all, fired } = timers()
  all.start('past', 1)
  expect(fired).toEqual([])
  vi.advanceTimersByTime(0)
  expect(fired).toEqual(['past'])
})

it('sets a key that runs already anew', () => {
  const { all, fired } = timers()
  all.start('a', 1_000_010)
  all.start('a', 1_000_500)
  vi.advanceTimersByTime(499)
  expect(fired).toEqual([])
  vi.advanceTimersByTime(1)
  expect(fired).toEqual(['a'])
})

it('does not fire a key that was stopped, and may be told to stop one that it does not know', () => {
  const { all, fired } = timers()
  all.start('a', 1_000_010)
  all.start('b', 1_000_010)
  all.stop('a')
  all.stop('never')
  vi.advanceTimersByTime(100)
  expect(fired).toEqual(['b'])
})

it('leaves no timer behind when all are stopped', () => {
  const { all } = timers()
  for (const key of ['a', 'b', 'c']) all.start(key, 1_000_010)
  expect(vi.getTimerCount()).toBe(3)
  all.stopAll()
  expect(vi.getTimerCount()).toBe(0)
})

it('lets a key be started again by what it fires', () => {
  const fired: string[] = []
  const all = new Timers((key) => {
    fired.push(key)
    if (fired.length < 3) all.start(key, Date.now() + 10)
  })
  all.start('again', Date.now())
  vi.advanceTimersByTime(1000)
  expect(fired).toHaveLength(3)
})

it('waits for a time beyond what setTimeout can hold, which would fire after 1 ms', () => {
  const { all, fired } = timers()
  all.start('far', Number.MAX_SAFE_INTEGER)
  vi.advanceTimersByTime(MILLISECONDS_MAX - 1)
  expect(fired).toEqual([])
  all.stopAll()
})
