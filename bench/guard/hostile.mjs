// node hostile.mjs [ATTACKS] [PER_SECOND]: a holder without rights shuts the only listener of a name while clients connect at a fixed rate; first
// without the guard. How long it is shut is measured by the attacker; how many clients fail, by the clients. Who is refused came while it was
// shut; who is reset waited to be accepted when it was shut: that queue the kernel throws away.

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
/** Without the guard it stays shut for good. */
const UNGUARDED_MS = 1000
const PATIENCE_MS = 10_000
const NOBODY = 65534
const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const env = (stage) => ({ ...process.env, FD_BROKER_SOCKET: stage.control })

async function startWorker(stage) {
  const child = fork(join(import.meta.dirname, 'worker.mjs'), { env: env(stage), silent: true })
  child.stderr.pipe(process.stderr)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return child
}

function startAttacker(stage, guard) {
  const script = join(import.meta.dirname, 'attacker.py')
  const command = [
    CLI,
    'exec',
    'web',
    '--',
    'python3',
    script,
    ...[attacks, EVERY_MS, guard ? PATIENCE_MS : UNGUARDED_MS].map(String),
  ]
  const ids = process.getuid() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const child = spawn(process.execPath, command, { env: env(stage), stdio: ['pipe', 'pipe', 'inherit'], ...ids })
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}

async function measure(stage, guard) {
  chmodSync(stage.directory, 0o755)
  const worker = await startWorker(stage)
  const { child, lines } = startAttacker(stage, guard)
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
  return figuresOf({ shut, clients, seconds, alive, repairs: stats.repairs?.web ?? 0 })
}

function figuresOf({ shut, clients, seconds, alive, repairs }) {
  const { ok, refused, reset, other } = clients.outcomes
  return {
    attacks: shut.length,
    repairs,
    shutP50: quantile(shut, 0.5),
    shutP99: quantile(shut, 0.99),
    rate: Math.round(clients.total / seconds),
    ok,
    refused,
    reset,
    other,
    perAttack: (refused + reset + other) / shut.length,
    alive,
  }
}

const off = await onStage('backlog = 1024\nguard = false', (stage) => measure(stage, false))
const on = await onStage('backlog = 1024', (stage) => measure(stage, true))
const HEADINGS = {
  attacks: 'attacks',
  repairs: 'repairs',
  shutP50: 'shut p50 µs',
  shutP99: 'shut p99 µs',
  rate: 'conn/s',
  ok: 'ok',
  refused: 'refused',
  reset: 'reset',
  other: 'other',
  perAttack: 'failed per attack',
}
const rowOf = (name, figures) => [
  name,
  ...Object.keys(HEADINGS).map((key) => (figures[key] === Infinity ? 'for good' : figures[key])),
]
const faults = [
  ...(off.refused === 0 ? ['without the guard nobody was refused: nothing was attacked'] : []),
  ...(on.perAttack > 0.5 ? [`${on.perAttack.toFixed(2)} connections failed in each attack; at most 0.5 may`] : []),
  ...(on.shutP99 === Infinity || on.attacks < attacks ? ['a listener stayed shut'] : []),
  ...(on.alive ? [] : ['the worker ended']),
]
process.exitCode = report({
  json,
  title: `a hostile holder shuts the listener ${attacks} times, ${perSecond} connections a second`,
  headings: ['guard', ...Object.values(HEADINGS)],
  rows: [rowOf('off', off), rowOf('on', on)],
  figures: { ...on, off },
  faults,
})
