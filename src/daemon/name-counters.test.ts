import { expect, it } from 'vitest'
import { ENDINGS } from './durations.ts'
import { NameCounters } from './name-counters.ts'

const at = 0
const name = 'web'

function counted(...events: Parameters<NameCounters['count']>[0][]) {
  const counters = new NameCounters()
  for (const event of events) counters.count(event)
  return counters.of(name)
}

it.each([
  ['granted', 'grants'],
  ['promoted', 'takeovers'],
  ['rollback', 'rollbacks'],
  ['repaired', 'repairs'],
] as const)('counts %s as one of the %s, and as nothing else', (event, figure) => {
  const { grants, takeovers, rollbacks, repairs, ended } = counted({ event, at, name })
  expect({ grants, takeovers, rollbacks, repairs }).toEqual({
    ...{ grants: 0, takeovers: 0, rollbacks: 0, repairs: 0 },
    [figure]: 1,
  })
  expect(ended.size).toBe(0)
})

it('counts repairs that one event tells together as so many', () => {
  expect(counted({ event: 'repaired', at, name, times: 7 }, { event: 'repaired', at, name }).repairs).toBe(8)
})

it.each([...ENDINGS])('counts a lease that is %s by this reason', (event) => {
  expect([...counted({ event, at, name }, { event, at, name }).ended]).toEqual([[event, 2]])
})

it('observes in seconds what was told in milliseconds, and nothing where nothing was told', () => {
  const { ready, drained } = counted(
    { event: 'ready', at, name, after: 1500 },
    { event: 'ready', at, name },
    { event: 'released', at, name, drained: 250 },
    { event: 'released', at, name },
  )
  expect(ready.samples({}).slice(-2)).toMatchObject([{ value: 1.5 }, { value: 1 }])
  expect(drained.samples({}).slice(-2)).toMatchObject([{ value: 0.25 }, { value: 1 }])
})

it('passes over events that it does not know or that are of no name', () => {
  const { grants, ended } = counted({ event: 'granted', at }, { event: 'other', at, name })
  expect([grants, ended.size]).toEqual([0, 0])
})

it('counts refusals by code and by name', () => {
  const counters = new NameCounters()
  counters.refused('web', 'DENIED')
  counters.refused('web', 'DENIED')
  expect([...counters.of('web').refusals]).toEqual([['DENIED', 2]])
  expect(counters.of('api').refusals.size).toBe(0)
})
