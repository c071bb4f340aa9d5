// node hostile.mjs [ATTACKS] [PER_SECOND]: a holder without rights shuts the only listener of a name while clients connect at a fixed rate.
// How long it is shut is measured by the attacker; how many clients fail, by the clients.

import { fork, spawn } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { quantile, report } from '../handover/report.mjs'
import { onStage } from '../handover/stage.mjs'
import { Clients } from './clients.mjs'

const numbers = process.argv.slice(2).filter((word) => word !== '--json')
const [attacks = 100, perSecond = 1000] = numbers.map(Number)
const json = process.argv.includes('--json')
const EVERY_MS = 60
const NOBODY = 65534
const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const env = (stage) => ({ ...process.env, FD_BROKER_SOCKET: stage.control })

async function startWorker(stage) {
  const child = fork(join(import.meta.dirname, 'worker.mjs'), { env: env(stage), silent: true })
  child.stderr.pipe(process.stderr)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return child
}

function startAttacker(stage) {
  const script = join(import.meta.dirname, 'attacker.py')
  const command = [CLI, 'exec', 'web', '--', 'python3', script, String(attacks), String(EVERY_MS)]
  const ids = process.getuid() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const child = spawn(process.execPath, command, { env: env(stage), stdio: ['pipe', 'pipe', 'inherit'], ...ids })
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}

async function measure(stage) {
  chmodSync(stage.directory, 0o755)
  const worker = await startWorker(stage)
  const { child, lines } = startAttacker(stage)
  await lines.next()
  const clients = new Clients(stage.port)
  const load = clients.run(perSecond)
  const began = performance.now()
  child.stdin.write('\n')
  const shut = []
  for await (const line of { [Symbol.asyncIterator]: () => lines })
    shut.push(line === 'never' ? Infinity : Number(line))
  const seconds = (performance.now() - began) / 1000
  clients.stop()
  await load
  const alive = worker.exitCode === null
  worker.kill('SIGKILL')
  const stats = await stage.broker.stats()
  return { shut, clients, seconds, alive, repairs: stats.repairs?.web ?? 0 }
}

const { shut, clients, seconds, alive, repairs } = await onStage('backlog = 1024', measure)
const { ok, refused, reset, other } = clients.outcomes
const perAttack = (refused + reset + other) / shut.length
const figures = {
  attacks: shut.length,
  repairs,
  shutP50: quantile(shut, 0.5),
  shutP99: quantile(shut, 0.99),
  rate: Math.round(clients.total / seconds),
  ok,
  refused,
  reset,
  other,
  perAttack,
}
const faults = [
  ...(perAttack > 0.5 ? [`${perAttack.toFixed(2)} connections failed in each attack; at most 0.5 may`] : []),
  ...(shut.includes(Infinity) || shut.length < attacks ? ['a listener stayed shut'] : []),
  ...(alive ? [] : ['the worker ended']),
]
process.exitCode = report({
  json,
  title: `a hostile holder shuts the listener ${attacks} times, ${perSecond} connections a second`,
  headings: [
    'attacks',
    'repairs',
    'shut p50 µs',
    'shut p99 µs',
    'conn/s',
    'ok',
    'refused',
    'reset',
    'other',
    'failed per attack',
  ],
  rows: [Object.values(figures)],
  figures,
  faults,
})
