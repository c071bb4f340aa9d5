import { describe, expect, it } from 'vitest'
import type { StateRecord } from '../../core/state.ts'
import { RepairMarks, SHOWN_MS } from './repair-marks.ts'

/** A state log that is read again. */
function log() {
  const records: StateRecord[] = []
  const values = () => {
    const folded = new Map<string, unknown>(records.map(({ key, value }) => [key, value]))
    for (const [key, value] of folded) if (value === null) folded.delete(key)
    return folded
  }
  return { records, values, append: (more: readonly StateRecord[]) => void records.push(...more) }
}

const NOW = 1_763_769_600_000

describe('the mark of a repair', () => {
  it('is there for a minute, also for the next broker, and nothing is left of it in the state then', () => {
    const state = log()
    new RepairMarks(state, new Map(), NOW).repaired('web', NOW)
    const next = new RepairMarks(state, state.values(), NOW + 10)
    expect(next.at('web', NOW + 10)).toBe(NOW)
    expect(next.at('api', NOW + 10)).toBeUndefined()
    expect(next.at('web', NOW + SHOWN_MS - 1)).toBe(NOW)
    expect(next.at('web', NOW + SHOWN_MS)).toBeUndefined()
    next.sweep(NOW + SHOWN_MS)
    expect(state.values()).toEqual(new Map())
  })

  it('that is over when the next broker starts is struck out at once', () => {
    const state = log()
    new RepairMarks(state, new Map(), NOW).repaired('web', NOW)
    expect(new RepairMarks(state, state.values(), NOW + SHOWN_MS).at('web', NOW)).toBeUndefined()
    expect(state.values()).toEqual(new Map())
  })

  it('is written once a second, however often a name is repaired', () => {
    const state = log()
    const marks = new RepairMarks(state, new Map(), NOW)
    for (let ms = 0; ms < 3000; ms++) marks.repaired('web', NOW + ms)
    expect(state.records.map(({ value }) => value)).toEqual([NOW, NOW + 1000, NOW + 2000])
    expect(marks.at('web', NOW + 3000)).toBe(NOW + 2999)
  })

  it('of a time to come, as when the clock was set back, is not shown; the next repair is', () => {
    const state = log()
    new RepairMarks(state, new Map(), NOW).repaired('web', NOW)
    const marks = new RepairMarks(state, state.values(), NOW - 5000)
    expect(marks.at('web', NOW - 5000)).toBeUndefined()
    marks.repaired('web', NOW - 5000)
    expect(marks.at('web', NOW - 4000)).toBe(NOW - 5000)
  })
})
