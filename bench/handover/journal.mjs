// What `fd-broker holders` should show, kept by somebody who asks the broker nothing: it knows only what workers said that they
// got and were told, and whom it killed. `compare` counts the looks, and says what differed.

export class Journal {
  steps = 0
  differences = []
  /** Looks at which the broker had to be given time, because a death reaches it later than it reaches us; the longest, in ms. */
  slowest = 0
  #rows = new Map()
  #stage

  constructor(stage) {
    this.#stage = stage
  }

  granted(worker, { lease, generation }) {
    this.#rows.set(lease, { lease, pid: worker.pid, generation, state: 'granted' })
  }

  becomes(lease, state) {
    this.#rows.get(lease).state = state
  }

  drains(leases) {
    for (const lease of leases) if (this.#rows.has(lease)) this.becomes(lease, 'draining')
  }

  gone(lease) {
    this.#rows.delete(lease)
  }

  /** Leases of other generations than this one. */
  others(generation) {
    return [...this.#rows.values()].filter((row) => row.generation !== generation).map(({ lease }) => lease)
  }

  /** Looks, and looks again for as long as `grace` allows. `current`: the generation that `list` should show. */
  async compare(what, current, grace = 0) {
    this.steps++
    const from = performance.now()
    const expected = this.#text([...this.#rows.values()])
    let found
    do {
      const [holders, [{ generation }]] = await Promise.all([
        this.#stage.broker.holders('web'),
        this.#stage.broker.list(),
      ])
      found = `${generation}: ${this.#text(holders)}`
    } while (found !== `${current}: ${expected}` && performance.now() - from < grace)
    if (grace > 0) this.slowest = Math.max(this.slowest, performance.now() - from)
    if (found !== `${current}: ${expected}`)
      this.differences.push(`${what}: ${current}: ${expected} expected, ${found} shown`)
  }

  #text(rows) {
    const lines = rows.map(({ lease, pid, generation, state }) => `${lease}/${pid}/${generation}/${state}`)
    return lines.sort().join(' ')
  }
}
