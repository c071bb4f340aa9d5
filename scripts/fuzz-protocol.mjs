// node scripts/fuzz-protocol.mjs [CASES] [SEED]: mutated requests of every verb against the gate, the decoder and the verb table.
// Needs `npx tsc` first. Prints one line and exits 1 at the first case that throws, is slow or yields more than plain data.

import { decodeRequest } from '../dist/protocol/decode.js'
import { isOp, shapeFault } from '../dist/protocol/messages.js'
import { mutator } from './fuzz/mutate.mjs'
import { REQUESTS } from './fuzz/requests.mjs'

const cases = Number(process.argv[2] ?? 1_000_000)
const seed = Number(process.argv[3] ?? 1)
const SLOW_MS = 2000

const { below, mutated } = mutator(seed)

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
  const bytes = mutated(REQUESTS[below(REQUESTS.length)])
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
