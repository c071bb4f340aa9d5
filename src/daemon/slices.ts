// Long work in slices, so that nobody's acquire waits for somebody's view.

import { setImmediate } from 'node:timers/promises'

const SLICE_MS = 1

/** Visits all, and lets the event loop go round after each millisecond. */
export async function inSlices<Item>(items: Iterable<Item>, visit: (item: Item) => void): Promise<void> {
  let end = performance.now() + SLICE_MS
  for (const item of items) {
    visit(item)
    if (performance.now() < end) continue
    await setImmediate()
    end = performance.now() + SLICE_MS
  }
}

export async function mapInSlices<Item, Result>(items: Iterable<Item>, map: (item: Item) => Result): Promise<Result[]> {
  const results: Result[] = []
  await inSlices(items, (item) => results.push(map(item)))
  return results
}
