// node scripts/fuzz-protocol.mjs [CASES] [SEED]: mutated requests against the gate, the decoder and the verb table.
// Needs `npx tsc` first. Prints one line and exits 1 at the first case that throws, is slow or yields more than plain data.

import { decodeRequest } from '../dist/protocol/decode.js'
import { isOp, shapeFault } from '../dist/protocol/messages.js'

const cases = Number(process.argv[2] ?? 1_000_000)
const seed = Number(process.argv[3] ?? 1)
const SLOW_MS = 250

/** mulberry32: a small generator whose run can be repeated by its seed. */
let state = seed >>> 0
function below(end) {
  state = (state + 0x6d2b79f5) >>> 0
  let x = Math.imul(state ^ (state >>> 15), state | 1)
  x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
  return ((x ^ (x >>> 14)) >>> 0) % end
}

const text = (value) => [0xa0 + value.length, ...Buffer.from(value)]
const map = (...pairs) => [0x80 + pairs.length, ...pairs.flat(2)]
const head = (op) => [text('id'), [0xcd, 1, 7], text('op'), text(op)]
const SEEDS = [
  map(
    head('hello').slice(0, 2),
    head('hello').slice(2),
    [text('version'), [1]],
    [text('leases'), [0x93, 1, 2, 0xcd, 1, 0]],
  ),
  map(head('acquire').slice(0, 2), head('acquire').slice(2), [text('name'), text('web')], [text('wait'), [0xff]]),
  map(head('ready').slice(0, 2), head('ready').slice(2), [text('lease'), [0xcf, 0, 0, 0, 0, 0, 0, 0, 5]]),
  map(head('list').slice(0, 2), head('list').slice(2), [
    text('x'),
    [0x91, 0x91, 0x81, 0xa1, 0x6b, 0x91, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0],
  ]),
]
const TYPES = [0x80, 0x90, 0xa0, ...Array.from({ length: 0x20 }, (_, i) => 0xc0 + i), 0xff]
const PIECES = [
  text('__proto__'),
  text('id'),
  [0xd4, 0x72, 0x40],
  [0xdd, 255, 255, 255, 255],
  [0xd6, 255, 0, 0, 0, 1],
  [0xc1],
  [0xff],
]

function mutate(bytes) {
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

function isPlain(value) {
  if (value === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof value)) return true
  if (typeof value !== 'object') return false
  if (Array.isArray(value)) return value.every(isPlain)
  return (
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.entries(value).every(([key, item]) => key !== '__proto__' && isPlain(item))
  )
}

let passed = 0
let slowest = 0
for (let at = 0; at < cases; at++) {
  const bytes = mutate([...SEEDS[below(SEEDS.length)]])
  const started = performance.now()
  try {
    const decoded = decodeRequest(bytes, below(50) === 0)
    if ('body' in decoded) {
      passed++
      if (!isPlain(decoded.body)) throw new Error('it was decoded to more than plain data')
      const { op } = decoded.body
      if (typeof op === 'string' && isOp(op)) shapeFault(op, decoded.body, decoded.floats)
    }
    slowest = Math.max(slowest, performance.now() - started)
    if (slowest > SLOW_MS) throw new Error(`it took ${slowest.toFixed(0)} ms`)
  } catch (error) {
    console.error(`case ${at} of seed ${seed}: ${error.message}\n${Buffer.from(bytes).toString('hex')}`)
    process.exit(1)
  }
}
console.log(
  `${cases} cases of seed ${seed}: none threw; ${passed} passed the gate as plain data; slowest ${slowest.toFixed(1)} ms`,
)
