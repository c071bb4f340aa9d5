import { expect, it } from 'vitest'
import { inSlices } from './slices.ts'

it('visits all, in order', async () => {
  const items = Array.from({ length: 1000 }, (_, index) => index)
  const seen: number[] = []
  await inSlices(items, (item) => seen.push(item))
  expect(seen).toEqual(items)
})

it('lets the event loop go round after each millisecond', async () => {
  let turns = 0
  const seen: number[] = []
  const turn = () => setImmediate(() => ++turns < 1000 && turn())
  turn()
  await inSlices([1, 2, 3], () => {
    seen.push(turns)
    for (const end = performance.now() + 2; performance.now() < end; );
  })
  expect(seen[1]).toBeGreaterThan(seen[0]!)
  expect(seen[2]).toBeGreaterThan(seen[1]!)
})

it('makes one slice in a turn of the loop, however many works there are, and each gets on', async () => {
  const slices = new Map<number, Set<number>>()
  let turn = 0
  let over = false
  const count = () => setImmediate(() => ++turn && !over && count())
  count()
  const works = Array.from({ length: 20 }, (_, work) =>
    inSlices([1, 2, 3], () => {
      slices.set(turn, (slices.get(turn) ?? new Set()).add(work))
      for (const end = performance.now() + 2; performance.now() < end; );
    }),
  )
  await Promise.all(works)
  over = true
  expect(Math.max(...[...slices.values()].map(({ size }) => size))).toBe(1)
  expect(slices.size).toBe(60)
})

it('passes on what a visit throws, and visits no more', async () => {
  const seen: number[] = []
  const visit = (item: number) => {
    seen.push(item)
    if (item === 2) throw new Error('no')
  }
  await expect(inSlices([1, 2, 3], visit)).rejects.toThrow('no')
  expect(seen).toEqual([1, 2])
})
