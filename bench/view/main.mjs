// How fast `list` and `holders` are on a full host, and whether anybody's acquire waits for them.
//
//     node bench/view/main.mjs [--names 1000] [--workers 400] [--leases 5] [--processes 3000] [--seconds 5]

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  },
})
const given = (name) => Number(values[name])
const [names, workers, leases] = ['names', 'workers', 'leases'].map(given)
const [processes, seconds] = ['processes', 'seconds'].map(given)
const here = (file) => fileURLToPath(new URL(file, import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'fd-broker-bench-'))
const socket = join(directory, 'control.sock')
const running = []

function start(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise((resolve) => child.once('close', resolve))
  running.push({ child, ended })
  return { child, ended, line: async () => (await lines.next()).value }
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
const ms = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`

function report(what, times) {
  const sorted = [...times].sort((a, b) => a - b)
  const figures = [0.5, 0.99, 1].map((share) => ms(percentile(sorted, share)).padStart(9))
  console.log(`${what.padEnd(34)} ${String(sorted.length).padStart(6)} ${figures.join(' ')}`)
}

try {
  const table = (name) => `[sockets.${name}]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\nmax_holders = 1024\n`
  const config = ['probe', ...Array.from({ length: names }, (_, at) => `n${at}`)].map(table).join('')
  writeFileSync(join(directory, 'broker.toml'), `[broker]\ncontrol = "${socket}"\n${config}`)
  const serve = ['serve', '--no-keeper', '--log-level', 'error', '--config', join(directory, 'broker.toml')]
  start(process.execPath, [here('../../dist/cli/main.js'), ...serve])
  const broker = connect({ socket, timeout: 60_000 })
  await broker.list()
  const idle = Math.max(0, processes - workers)
  const crowd = start('python3', [here('crowd.py'), socket, workers, leases, idle])
  if ((await crowd.line()) !== 'ready') throw new Error('the crowd did not come')
  const prober = start(process.execPath, [here('prober.mjs'), socket])
  const probed = async () => {
    prober.child.stdin.write('\n')
    return JSON.parse(await prober.line())
  }
  const table_ = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length
  const held = await broker.holders(undefined, { undeclared: false })
  console.log(`${names} names, ${held.length} leases, ${table_} processes\n`)
  console.log(`${''.padEnd(34)}  count       p50       p99       max`)
  const whole = async (verb) => {
    const times = []
    for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
      const before = performance.now()
      await broker[verb]()
      times.push(performance.now() - before)
    }
    report(`${verb}, as the SDK gets it`, times)
  }
  const during = async (verb) => {
    const asker = verb && start('python3', [here('asker.py'), socket, verb])
    await probed()
    await setTimeout(seconds * 1000)
    report(`acquire, ${verb === undefined ? 'nobody looks' : `during ${verb}`}`, await probed())
    if (asker === undefined) return
    asker.child.stdin.end()
    report(`${verb}, one after another`, JSON.parse(await asker.line()))
  }
  for (const verb of ['list', 'holders']) await whole(verb)
  for (const verb of [undefined, 'list', 'holders', undefined]) await during(verb)
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
