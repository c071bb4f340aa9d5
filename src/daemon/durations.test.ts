import { expect, it } from 'vitest'
import type { PublishedEvent } from '../core/types.ts'
import { Durations, ENDINGS } from './durations.ts'

const at = (time: number, event: string, more: object = {}) =>
  ({ event, at: time, name: 'web', generation: 'v1', lease: 1, ...more }) as PublishedEvent

/** What the last of the events tells beyond what it said itself. */
function told(...events: PublishedEvent[]) {
  const durations = new Durations()
  const last = events.map((event) => Object.entries(durations.tell(event))).at(-1)!
  return Object.fromEntries(last.filter(([key]) => ['after', 'held', 'drained'].includes(key)))
}

it('tells how long after the grant a lease was ready', () => {
  expect(told(at(100, 'granted'), at(350, 'ready'))).toEqual({ after: 250 })
})

it.each([...ENDINGS])('tells how long a lease was held when it is %s', (ending) => {
  expect(told(at(100, 'granted'), at(900, ending))).toEqual({ held: 800 })
})

it('counts the draining from the first time that it was asked for', () => {
  const events = [at(0, 'granted'), at(10, 'drain'), at(40, 'drain'), at(100, 'released')]
  expect(told(...events)).toEqual({ held: 100, drained: 90 })
})

it('has forgotten a lease that ended', () => {
  expect(told(at(0, 'granted'), at(10, 'released'), at(20, 'died'))).toEqual({})
})

it.each(['ready', 'drain', 'released', 'promoted', 'rollback', 'repaired'])(
  'passes %s on as it is when nothing was granted',
  (event) => {
    const said = at(5, event)
    expect(new Durations().tell(said)).toBe(said)
  },
)

it('counts a generation from its first grant', () => {
  const first = at(100, 'granted')
  const second = at(400, 'granted', { lease: 2 })
  expect(told(first, second, at(1100, 'promoted'))).toEqual({ after: 1000 })
  expect(told(first, second, at(1100, 'rollback'))).toEqual({ after: 1000 })
})

it('counts a generation that was rolled back, or that another one took the place of, anew', () => {
  const again = [at(500, 'granted', { lease: 2 }), at(600, 'promoted')]
  expect(told(at(0, 'granted'), at(10, 'rollback'), ...again)).toEqual({ after: 100 })
  expect(told(at(0, 'granted'), at(10, 'promoted', { generation: 'v2', former: 'v1' }), ...again)).toEqual({
    after: 100,
  })
})

it('does not mix the same generation of two names', () => {
  expect(told(at(0, 'granted'), at(10, 'promoted', { name: 'api' }))).toEqual({})
})
