// node bench/handover/holders.mjs [--rounds 25] [--only KIND] [--json]: kill -9 of the holder of an exclusive name, of several kinds of
// process, until a Node.js standby has its lease. Beside it the least that this machine needs, by kill_floor.c: a watcher and a
// standby in C that do nothing else, with the same kind of process killed.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { compile } from '../support/compile.mjs'
import { readOptions } from './options.mjs'
import { report, spread } from './report.mjs'
import { onStage, until } from './stage.mjs'

const { rounds, only, json } = readOptions({ rounds: 25 }, { only: { type: 'string' } })

const ROOT = join(import.meta.dirname, '../..')
const SDK = join(ROOT, 'dist/client/index.js')
const PYTHON = join(ROOT, 'test/python/fdbroker.py')
/** As long as a standby rehearses at most. */
const SETTLE_MS = 200
/** Threads that the broker watches at most, and none: the process alone. */
const WATCHED = '16,0'

/** `start`: a process that holds the name; `alike`: one like it, for which there is no broker, and which writes when it runs. */
const KINDS = {
  'Node.js, idle': {
    start: (stage) => holdingWorker(stage, {}),
    alike: ['node', '-e', `import(${JSON.stringify(SDK)}).then(() => console.log()); setInterval(() => {}, 1e6)`],
  },
  'Node.js, busy': {
    start: (stage) => holdingWorker(stage, { busy: true }),
    alike: ['node', '-e', `import(${JSON.stringify(SDK)}).then(() => { console.log(); for (;;); })`],
  },
  Python: {
    start: (stage) => holdingProgram(stage, 'python3', [PYTHON, stage.control, 'acquire', 'web', '--hold']),
    alike: ['python3', '-uc', 'import socket, json, time; print(); time.sleep(1e6)'],
  },
  'sleep(1), under exec': {
    start: (stage) => holdingProgram(stage, process.execPath, [...stage.cli, 'exec', 'web', '--', 'sleep', '1e6']),
    alike: ['sh', '-c', 'echo; exec sleep 1e6'],
  },
}

async function holdingWorker(stage, options) {
  const worker = stage.startWorker()
  worker.serve(options)
  await worker.hear('granted')
  return { kill: () => worker.kill(), exited: worker.exited }
}

async function holdingProgram(stage, command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'] })
  const exited = once(child, 'exit')
  await until(async () => (await stage.broker.holders('web')).some(({ pid }) => pid === child.pid))
  return { exited, kill: () => killAt(child.pid) }
}

function killAt(pid) {
  const at = process.hrtime.bigint()
  process.kill(pid, 'SIGKILL')
  return at
}

async function killOne(stage, start) {
  const holder = await start(stage)
  const standby = stage.startWorker()
  await standby.hear('started')
  standby.serve({ wait: -1 })
  await until(async () => (await stage.broker.list())[0].waiting === 1)
  await sleep(SETTLE_MS)
  const killed = holder.kill()
  const { at } = await standby.hear('granted')
  await holder.exited
  await standby.end()
  await until(async () => (await stage.broker.holders('web')).length === 0)
  return Number(BigInt(at) - killed) / 1e6
}

/** {16: {standby, ended}, 0: {…}}: milliseconds of each kill, by how many threads were watched. */
async function least(alike) {
  const floor = compile('kill_floor', [], 'bench/handover')
  const { stdout } = await promisify(execFile)(floor, [String(rounds), WATCHED, ...alike])
  const times = {}
  for (const line of stdout.trim().split('\n')) {
    const [watched, , standby, ended] = line.split(' ').map(Number)
    times[watched] ??= { standby: [], ended: [] }
    times[watched].standby.push(standby / 1000)
    times[watched].ended.push(ended / 1000)
  }
  return times
}

async function measure([kind, { start, alike }]) {
  const times = []
  await onStage('mode = "exclusive"', async (stage) => {
    for (let round = 0; round < rounds; round++) times.push(await killOne(stage, start))
  })
  const { 16: threads, 0: whole } = await least(alike)
  return { kind, standby: spread(times), threads: spread(threads.standby), whole: spread(whole.standby) }
}

const kinds = []
for (const entry of Object.entries(KINDS)) if (only === undefined || entry[0] === only) kinds.push(await measure(entry))
process.exitCode = report({
  json,
  title: `kill -9 of an exclusive holder until the standby has the descriptor, ${rounds} rounds, ms`,
  headings: ['the holder', 'p50', 'p99', 'least: p50', 'p99', 'by the process alone: p50', 'p99'],
  rows: kinds.map(({ kind, standby, threads, whole }) => [
    kind,
    ...[standby, threads, whole].flatMap(({ p50, p99 }) => [p50, p99]),
  ]),
  figures: { rounds, kinds },
  faults: [],
})
