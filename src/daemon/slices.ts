// Long work in slices, so that nobody's acquire waits for somebody's view. In one turn of the event loop there is one slice, of
// whichever work has waited longest: a thousand views at once delay others no more than one does.

const SLICE_MS = 1

const waiting: (() => void)[] = []
/** On performance.now()'s clock: until when work may go on in this turn. */
let end = 0

/** Visits all, and lets the event loop go round after each millisecond. Each item is asked for when its turn has come. */
export async function inSlices<Item>(items: Iterable<Item>, visit: (item: Item) => void): Promise<void> {
  if (isOver()) await nextTurn()
  for (const item of items) {
    visit(item)
    if (isOver()) await nextTurn()
  }
}

const isOver = () => performance.now() >= end

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    if (waiting.length === 1) setImmediate(beginSlice)
  })
}

function beginSlice(): void {
  end = performance.now() + SLICE_MS
  waiting.shift()!()
  if (waiting.length > 0) setImmediate(beginSlice)
}
