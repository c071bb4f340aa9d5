// How fast `list` and `holders` are on a full host, and how much later others get their acquires when somebody asks for one after
// another. Times are wall time, so the rounds alternate: the machine delays some when nobody looks, too. Where it can be (root, chrt), the
// acquiring process runs before everybody else (sched(7), SCHED_FIFO): that it waits for a processor is no doing of the broker's.
//
// `--fifo` runs the broker's event loop so too. What delays are left is its own doing, and the status is 1 when the worst is later by more
// than 5 ms. Whoever asks for views then rests for 3 ms after each: the kernel takes the processor from those who never rest
// (sched_rt_runtime_us).
//
//     node bench/view/main.mjs [--fifo] [--names 1000] [--workers 400] [--leases 5] [--processes 3000] [--seconds 5] [--rounds 3]

import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { connect } from '../../dist/client/index.js'

const { values } = parseArgs({
  options: {
    names: { type: 'string', default: '1000' },
    workers: { type: 'string', default: '400' },
    leases: { type: 'string', default: '5' },
    processes: { type: 'string', default: '3000' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    fifo: { type: 'boolean', default: false },
  },
})
const given = (name) => Number(values[name])
const [names, workers, leases] = ['names', 'workers', 'leases'].map(given)
const [processes, seconds, rounds] = ['processes', 'seconds', 'rounds'].map(given)
/** Milliseconds. */
const MOST_LATER = 5
const REST = values.fifo ? 3 : 0
const SHARES = [0.5, 0.99, 0.999, 1]
const here = (file) => fileURLToPath(new URL(file, import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'fd-broker-bench-'))
const socket = join(directory, 'control.sock')
/** The launcher takes the node of PATH. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` }
const running = []

function start(command, args) {
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise((resolve) => child.once('close', resolve))
  running.push({ child, ended })
  return { child, ended, line: async () => (await lines.next()).value }
}

/** Before everybody who has no real-time priority. False where that is not allowed. */
function runFirst({ child }) {
  try {
    execFileSync('chrt', ['--fifo', '--pid', '1', String(child.pid)], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const ms = (value) => `${value.toFixed(Math.abs(value) < 10 ? 2 : 0)} ms`.padStart(9)

function row(what, count, figures) {
  console.log(`${what.padEnd(34)} ${String(count).padStart(6)} ${figures.map(ms).join(' ')}`)
}

/** Prints and returns what the shares of the times are at most. */
function report(what, times) {
  const sorted = [...times].sort((a, b) => a - b)
  const figures = SHARES.map((share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))])
  row(what, sorted.length, figures)
  return figures
}

try {
  const table = (name) => `[sockets.${name}]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\nmax_holders = 1024\n`
  const config = ['probe', ...Array.from({ length: names }, (_, at) => `n${at}`)].map(table).join('')
  writeFileSync(join(directory, 'broker.toml'), `[broker]\ncontrol = "${socket}"\n${config}`)
  const serve = ['serve', '--no-keeper', '--log-level', 'error', '--config', join(directory, 'broker.toml')]
  const daemon = start(here('../../dist/cli/fd-broker'), serve)
  const broker = connect({ socket, timeout: 60_000 })
  await broker.list()
  const idle = Math.max(0, processes - workers)
  const crowd = start('python3', [here('crowd.py'), socket, workers, leases, idle])
  if ((await crowd.line()) !== 'ready') throw new Error('the crowd did not come')
  // Before the acquiring process: its lease comes and goes.
  const table_ = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length
  const held = await broker.holders(undefined, { undeclared: false })
  // Its helpers have the ordinary priority, and would be waited for.
  const prober = start(process.execPath, ['--single-threaded-gc', here('prober.mjs'), socket])
  const probed = async () => {
    prober.child.stdin.write('\n')
    return JSON.parse(await prober.line())
  }
  // Once it runs: threads that it starts later would have the priority, too.
  await probed()
  const first = runFirst(prober)
  if (values.fifo && !(first && runFirst(daemon))) throw new Error('--fifo needs root, and chrt (util-linux)')
  const how = first ? '' : '; acquiring at the ordinary priority'
  console.log(`${names} names, ${held.length} leases, ${table_} processes${how}\n`)
  console.log(`${''.padEnd(34)}  count       p50       p99     p99.9       max`)
  for (const verb of ['list', 'holders']) {
    const times = []
    for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
      const before = performance.now()
      await broker[verb]()
      times.push(performance.now() - before)
    }
    report(`${verb}, as the SDK gets it`, times)
  }
  /** What was measured while somebody asked for `verb`, or nobody for anything. */
  const during = async (verb) => {
    const asker = verb && start('python3', [here('asker.py'), socket, verb, REST])
    await asker?.line()
    await probed()
    await setTimeout(seconds * 1000)
    const acquires = await probed()
    if (asker === undefined) return { acquires, views: [] }
    asker.child.stdin.end()
    return { acquires, views: JSON.parse(await asker.line()) }
  }
  const seen = new Map([undefined, 'list', 'holders'].map((verb) => [verb, { acquires: [], views: [] }]))
  for (let round = 0; round < rounds; round++) {
    for (const [verb, { acquires, views }] of seen) {
      const more = await during(verb)
      acquires.push(...more.acquires)
      views.push(...more.views)
    }
  }
  const undisturbed = report('acquire, nobody looks', seen.get(undefined).acquires)
  seen.delete(undefined)
  for (const [verb, { acquires, views }] of seen) {
    report(`${verb}, one after another`, views)
    const figures = report(`acquire, during ${verb}`, acquires)
    const later = figures.map((figure, at) => figure - undisturbed[at])
    row('  later than when nobody looks', '', later)
    if (values.fifo && later.at(-1) > MOST_LATER) process.exitCode = 1
  }
  prober.child.stdin.end()
  await broker.close()
} finally {
  for (const { child, ended } of running.reverse()) {
    child.stdin.end()
    if (child.spawnargs.includes('serve')) child.kill('SIGKILL')
    await ended
  }
  rmSync(directory, { recursive: true, force: true })
}
