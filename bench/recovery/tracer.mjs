// strace(1) kills a broker before its n-th call of a kind.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const options = (call, point) => [
  '-s',
  '24',
  '-e',
  `trace=${call}`,
  '-e',
  `inject=${call}:signal=SIGKILL:when=${point}`,
]

/** The call that it was killed at, with its first bytes; undefined while it lives. */
function killedAt(text, call) {
  if (!text.includes('killed by SIGKILL')) return undefined
  const calls = text.split('\n').filter((line) => line.startsWith(`${call}(`))
  return calls.at(-1).slice(0, 100)
}

/** Attaches to one that runs: the `point`-th call from now on. */
export async function trace(pid, call, point) {
  const child = spawn('strace', ['-p', String(pid), ...options(call, point)], { stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  const attached = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`strace: ${text}`)))
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
      if (text.includes('attached')) resolve()
    })
  })
  await attached
  return { killedAt: () => killedAt(text, call), stop: () => child.kill('SIGTERM') }
}

/** What a keeper starts as its broker: after arm() the next one is traced from its start, by a tracer that is not its parent. */
export function tracedProgram(directory, cli, call, point) {
  const [path, armed, log] = ['serve.sh', 'armed', 'strace.log'].map((name) => join(directory, name))
  const broker = `'${process.execPath}' '${cli}' "$@"`
  const strace = `strace -D -o '${log}' ${options(call, point).join(' ')}`
  writeFileSync(path, `#!/bin/sh\nrm '${armed}' 2>/dev/null && exec ${strace} ${broker}\nexec ${broker}\n`, {
    mode: 0o755,
  })
  return {
    path,
    arm: () => writeFileSync(armed, ''),
    killedAt: () => (existsSync(log) ? killedAt(readFileSync(log, 'utf8'), call) : undefined),
    stop: () => {},
  }
}
