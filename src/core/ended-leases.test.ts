import { expect, it } from 'vitest'
import { ENDED_REMEMBERED, EndedLeases } from './ended-leases.ts'

const fill = (ended: EndedLeases<{ id: number }>, from: number, to: number) => {
  const forgotten: unknown[] = []
  for (let id = from; id <= to; id++) forgotten.push(ended.add({ id }))
  return forgotten
}

it('remembers the last so many, and says which one it forgets for each further one, the oldest first', () => {
  const ended = new EndedLeases()
  expect(new Set(fill(ended, 1, ENDED_REMEMBERED))).toEqual(new Set([undefined]))
  expect(fill(ended, ENDED_REMEMBERED + 1, ENDED_REMEMBERED + 3)).toEqual([1, 2, 3])
  expect([ended.has(3), ended.has(4), ended.get(ENDED_REMEMBERED + 3)]).toEqual([
    false,
    true,
    { id: ENDED_REMEMBERED + 3 },
  ])
  expect(ended.size).toBe(ENDED_REMEMBERED)
})

it('goes round: those that came first are forgotten first, whatever their numbers', () => {
  const ended = new EndedLeases()
  fill(ended, 10, ENDED_REMEMBERED + 9)
  expect(ended.add({ id: 5 })).toBe(10)
  const rest = fill(ended, 2 * ENDED_REMEMBERED, 3 * ENDED_REMEMBERED - 2)
  expect(rest.at(-1)).toBe(ENDED_REMEMBERED + 9)
  expect(ended.add({ id: 6 })).toBe(5)
})
