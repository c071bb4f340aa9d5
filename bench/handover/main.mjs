// npm run bench:handover [-- --quick] [-- --seed 1]: every measurement of the hand-over, one after another, each with its table.
// The status is 1 when a must-hold of any did not hold. `--quick`: a tenth of the rounds.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, seed: { type: 'string', default: '1' } },
})
const rounds = (full) => ['--rounds', String(values.quick ? Math.ceil(full / 10) : full)]

const RUNS = [
  ['takeovers', ...rounds(200)],
  ['takeovers', '--keep-alive', ...rounds(200)],
  ['takeovers', '--http2', ...rounds(200)],
  ['standby', ...rounds(200)],
  ['holders', ...rounds(25)],
  ['pause', '--seconds', values.quick ? '1' : '5'],
  ['full-queue'],
  ['generations', ...rounds(10), '--seed', values.seed],
  ['newcomers', ...rounds(10)],
]

let current
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => current.kill(signal))

for (const [name, ...args] of RUNS) {
  const code = await new Promise((resolve) => {
    current = spawn(process.execPath, [join(import.meta.dirname, `${name}.mjs`), ...args], { stdio: 'inherit' })
    current.once('exit', (status, signal) => resolve(signal ? 130 : status))
  })
  console.log()
  if (code !== 0) process.exitCode = 1
  if (code === 130) break
}
