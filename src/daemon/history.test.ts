import { describe, expect, it } from 'vitest'
import { HISTORY_MAX } from '../protocol/limits.ts'
import { Durations } from './durations.ts'
import { History } from './history.ts'

const event = (at: number, name = 'web') => ({ event: 'ready', at, name })

describe('the history', () => {
  it('keeps the last 1,000 events in order, each with its number', () => {
    const history = new History()
    for (let at = 1; at <= 2 * HISTORY_MAX + 500; at++) history.add(event(at))
    const kept = history.select()
    expect(kept).toHaveLength(HISTORY_MAX)
    expect(kept[0]).toEqual({ ...event(1501), seq: 1501 })
    expect(kept.at(-1)).toEqual({ ...event(2500), seq: 2500 })
  })

  it('is asked for a name, for a time and for the last so many', () => {
    const history = new History()
    for (const at of [10, 20, 30]) for (const name of ['web', 'api']) history.add(event(at, name))
    const told = (asked: Parameters<History['select']>[0]) =>
      history.select(asked).map(({ at, name }) => `${name}${at}`)
    expect(told({ name: 'api' })).toEqual(['api10', 'api20', 'api30'])
    expect(told({ since: 20, name: 'web' })).toEqual(['web20', 'web30'])
    expect(told({ limit: 2 })).toEqual(['web30', 'api30'])
    expect(told({ limit: 0 })).toEqual([])
  })

  it('continues after an earlier broker’s', () => {
    const history = new History()
    history.restore([
      { ...event(2), seq: 8 },
      { ...event(1), seq: 7 },
    ])
    history.add(event(3))
    expect(history.select().map(({ seq }) => seq)).toEqual([7, 8, 9])
  })
})

describe('durations', () => {
  const lease = (event: 'granted' | 'ready' | 'drain' | 'died', at: number) => {
    return { event, at, name: 'web', lease: 1, generation: 'g2' }
  }

  it('are told with the event that ends them', () => {
    const durations = new Durations()
    expect(durations.tell(lease('granted', 100))).toEqual(lease('granted', 100))
    expect(durations.tell(lease('ready', 130))).toMatchObject({ after: 30 })
    const promoted = { event: 'promoted' as const, at: 131, name: 'web', generation: 'g2', former: 'g1' }
    expect(durations.tell(promoted)).toMatchObject({ after: 31 })
    durations.tell(lease('drain', 200))
    durations.tell(lease('drain', 210))
    expect(durations.tell(lease('died', 250))).toMatchObject({ held: 150, drained: 50 })
  })

  it('are left out where the beginning was not seen', () => {
    const durations = new Durations()
    expect(durations.tell(lease('ready', 5))).toEqual(lease('ready', 5))
    expect(durations.tell(lease('died', 5))).toEqual(lease('died', 5))
  })
})
