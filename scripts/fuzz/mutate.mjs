// Seeded mutations of a packet: the same for the same seed.

const TYPES = [0x80, 0x90, 0xa0, ...Array.from({ length: 0x20 }, (_, i) => 0xc0 + i), 0xff]
const text = (value) => [0xa0 + value.length, ...Buffer.from(value)]
const PIECES = [
  text('__proto__'),
  text('id'),
  text('op'),
  text('lease'),
  [0xd4, 0x72, 0x40],
  [0xdd, 255, 255, 255, 255],
  [0xd6, 255, 0, 0, 0, 1],
  [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
  [0xcf, 255, 255, 255, 255, 255, 255, 255, 255],
  [0xc1],
  [0xff],
]

export function mutator(seed) {
  let state = seed >>> 0

  /** mulberry32: an integer from 0 to `end` - 1. */
  function below(end) {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) % end
  }

  function mutated(packet) {
    const bytes = [...packet]
    for (let edits = 1 + below(4); edits > 0; edits--) {
      const at = below(bytes.length + 1)
      const kind = below(6)
      if (kind === 0) bytes.splice(at, 1, below(256))
      else if (kind === 1) bytes.splice(at, 1, TYPES[below(TYPES.length)])
      else if (kind === 2) bytes.splice(at, below(4))
      else if (kind === 3) bytes.splice(at, 0, ...PIECES[below(PIECES.length)])
      else if (kind === 4) bytes.splice(at, 0, ...bytes.slice(below(bytes.length + 1)))
      else bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
    }
    return Uint8Array.from(bytes)
  }

  return { below, mutated }
}
