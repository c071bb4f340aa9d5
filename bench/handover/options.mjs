// What every measurement takes: `--rounds`, `--seed`, `--rate`, `--json`, and what it adds. Seeded choices come from `random`.

import { parseArgs } from 'node:util'

export function readOptions(defaults, extra = {}) {
  const options = { json: { type: 'boolean', default: false }, ...extra }
  for (const [name, value] of Object.entries({ seed: 1, ...defaults })) {
    options[name] = { type: 'string', default: String(value) }
  }
  const { values } = parseArgs({ options })
  for (const name of ['seed', ...Object.keys(defaults)]) {
    values[name] = Number(values[name])
    if (!Number.isFinite(values[name]) || values[name] < 0) throw new Error(`--${name} takes a number`)
  }
  return values
}

/** mulberry32: the same numbers from 0 to 1 for the same seed. */
export function randomFrom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
