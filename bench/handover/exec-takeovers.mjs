// node bench/handover/exec-takeovers.mjs [--server gunicorn|nginx|python] [--rounds 20] [--rate 500] [--keep-alive] [--blocking]
// [--http DIRECTIVES] [--json]: takeovers in a row of a server that knows nothing of the broker, through `fd-broker exec --takeover`, under a steady load,
// each request on a connection of its own; prints one table. Exits 1 when a request failed. Runs the programs of examples/.
// `--blocking` leaves the socket of nginx blocking, as it is without `non_blocking = true`. `--keep-alive` shows what servers lose
// that close idle connections as they drain, `--http` what directives of nginx's `http` block do about it. Needs `npm run build`.

import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { countErrors, failed, startLoad } from './load.mjs'
import { readOptions } from './options.mjs'
import { report, spread } from './report.mjs'
import { onStage, until } from './stage.mjs'

const EXAMPLES = join(import.meta.dirname, '../../examples')
const STUB = join(import.meta.dirname, '../../dist/cli/fd-broker')
/** Between two takeovers, so that there is a steady state to compare with. */
const PAUSE = 500

/** `prepare` returns the working directory; `exec` is what follows `fd-broker exec web --takeover`. */
const SERVERS = {
  gunicorn: {
    prepare: () => join(EXAMPLES, 'gunicorn'),
    exec: ['--ready-on', 'notify', '--', 'gunicorn', '--preload', '--workers', '2', 'app:app'],
  },
  nginx: {
    keys: 'non_blocking = true',
    prepare(stage, round) {
      const directory = join(stage.directory, `nginx-${round}`)
      mkdirSync(join(directory, 'html'), { recursive: true })
      cpSync(join(EXAMPLES, 'nginx/nginx.conf'), join(directory, 'nginx.conf'))
      const text = readFileSync(join(directory, 'nginx.conf'), 'utf8')
        .replace('8080', stage.port)
        .replace('http {', () => `http {\n${options.http}`)
      writeFileSync(join(directory, 'nginx.conf'), text)
      writeFileSync(join(directory, 'html/index.html'), 'hello\n')
      return directory
    },
    exec: [
      ...['--ready-after', '0.5', '--as', 'nginx', '--drain-signal', 'QUIT', '--'],
      ...['nginx', '-p', './', '-c', 'nginx.conf', '-e', 'stderr'],
    ],
  },
  python: {
    prepare: () => join(EXAMPLES, 'python-socket'),
    exec: ['--ready-after', '0.5', '--', 'python3', 'server.py'],
  },
}

const options = readOptions(
  { rounds: 20, rate: 500 },
  {
    server: { type: 'string', default: 'gunicorn' },
    blocking: { type: 'boolean', default: false },
    'keep-alive': { type: 'boolean', default: false },
    http: { type: 'string', default: '' },
  },
)
const kind = options['keep-alive'] ? 'keep-alive' : 'new connections'
const server = SERVERS[options.server]
if (!server) throw new Error(`--server is one of ${Object.keys(SERVERS).join(', ')}`)
if (options.http && options.server !== 'nginx') throw new Error('--http is for --server nginx')

const programs = new Set()

function start(stage, round) {
  const child = spawn(STUB, ['exec', 'web', '--takeover', ...server.exec], {
    cwd: server.prepare(stage, round),
    env: { ...process.env, FD_BROKER_SOCKET: stage.control, RELEASE: `release ${round}` },
    stdio: ['ignore', 'ignore', 'pipe'],
    // A group of its own, so that its workers can be ended with it.
    detached: true,
  })
  const program = { child, stderr: '' }
  child.stderr.setEncoding('utf8').on('data', (text) => {
    program.stderr += text
  })
  program.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
  programs.add(child)
  program.exited.then(() => programs.delete(child))
  return program
}

function endAll() {
  for (const { pid } of programs) process.kill(-pid, 'SIGKILL')
}
process.once('exit', endAll)

async function takeOver(stage, round) {
  const program = start(stage, round)
  const promoted = () => stage.events.filter(({ event }) => event === 'promoted').length >= round + 1
  if (!(await until(promoted, 20_000))) throw new Error(`round ${round}: not promoted\n${program.stderr}`)
  return program
}

process.exitCode = await onStage(options.blocking ? '' : (server.keys ?? ''), async (stage) => {
  let current = await takeOver(stage, 0)
  const load = startLoad(stage.port, options.rate, kind)
  await sleep(1000)
  const windows = []
  const exits = {}
  for (let round = 1; round <= options.rounds; round++) {
    const from = performance.now()
    const former = current
    current = await takeOver(stage, round)
    const promoted = performance.now()
    const exit = await former.exited
    exits[exit] = (exits[exit] ?? 0) + 1
    windows.push({ from, to: performance.now(), drain: performance.now() - promoted })
    await sleep(PAUSE)
  }
  const requests = await load.stop()
  endAll()
  const during = ({ at, took }) => windows.some(({ from, to }) => at < to && at + took > from)
  const steady = spread(requests.filter((request) => !during(request)).map(({ took }) => took))
  const takeover = spread(requests.filter(during).map(({ took }) => took))
  const lost = failed(requests).length
  const row = (name, { count, p50, p99, p999, worst }) => [name, count, p50, p99, p999, worst]
  return report({
    json: options.json,
    title: `${options.rounds} takeovers of ${options.server} through exec, ${options.rate} requests/s, ${kind}${options.blocking ? ', blocking' : ''}: failed ${lost} of ${requests.length}`,
    headings: ['latency, ms', 'requests', 'p50', 'p99', 'p99.9', 'worst'],
    rows: [
      row('during takeover', takeover),
      row('steady', steady),
      ['worst drain', '', '', '', '', Math.max(...windows.map(({ drain }) => drain))],
    ],
    figures: {
      rounds: options.rounds,
      requests: requests.length,
      failed: lost,
      errors: countErrors(requests),
      takeover,
      steady,
      exits,
    },
    faults: lost > 0 ? [`${lost} requests failed: ${JSON.stringify(countErrors(requests))}`] : [],
  })
})
