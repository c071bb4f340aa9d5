import { expect, it } from 'vitest'
import { inSlices, mapInSlices } from './slices.ts'

it('maps all, in order', async () => {
  const items = Array.from({ length: 1000 }, (_, index) => index)
  expect(await mapInSlices(items, (item) => item * 2)).toEqual(items.map((item) => item * 2))
  expect(await mapInSlices([], String)).toEqual([])
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
  expect(seen[0]).toBe(0)
  expect(seen[1]).toBeGreaterThan(0)
  expect(seen[2]).toBeGreaterThan(seen[1]!)
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
