// node starts.mjs [TIMES]: workers of three kinds start and stop as they are; the guard must not take that for an attack.

import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { report } from '../handover/report.mjs'
import { onStage, until } from '../handover/stage.mjs'

const [times = 50] = process.argv
  .slice(2)
  .filter((word) => word !== '--json')
  .map(Number)
const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const NODE_SERVER = `require('net').createServer((c) => c.end('x')).listen({ fd: 3 })`
const NGINX = (
  directory,
) => `daemon off; master_process on; worker_processes 1; pid ${directory}/nginx.pid; error_log /dev/null;
events {} http { access_log off; server { listen 127.0.0.1:PORT; location / { return 200 "x"; } } }`
const WSGI = `def app(environ, start):\n    start('200 OK', [])\n    return [b'x']\n`

const KINDS = {
  node: () => ({ args: [], command: [process.execPath, '-e', NODE_SERVER] }),
  gunicorn: (stage) => ({
    args: [],
    command: ['gunicorn', '--chdir', stage.directory, '--log-level', 'error', 'app:app'],
  }),
  nginx: (stage) => ({ args: ['--as', 'nginx'], command: ['nginx', '-c', join(stage.directory, 'nginx.conf')] }),
}

async function startOnce(stage, { args, command }) {
  const child = spawn(process.execPath, [CLI, 'exec', 'web', ...args, '--ready-after', '0.3', '--', ...command], {
    env: { ...process.env, FD_BROKER_SOCKET: stage.control },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (data) => {
    errors += data
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const ready = await until(async () =>
    (await stage.broker.holders()).some(({ state, pid }) => state === 'ready' && pid === child.pid),
  )
  if (!ready) throw new Error(`${command[0]} did not become ready: ${errors}`)
  await sleep(1200)
  child.kill('SIGTERM')
  if (await Promise.race([ended.then(() => false), sleep(5000, true)])) child.kill('SIGKILL')
  await ended
}

async function measure(stage, kind) {
  chmodSync(stage.directory, 0o755)
  mkdirSync(join(stage.directory, 'logs'), { recursive: true })
  writeFileSync(join(stage.directory, 'app.py'), WSGI)
  writeFileSync(join(stage.directory, 'nginx.conf'), NGINX(stage.directory).replace('PORT', stage.port))
  for (let time = 0; time < times; time++) await startOnce(stage, KINDS[kind](stage))
  return Object.values((await stage.broker.stats()).repairs).reduce((sum, count) => sum + count, 0)
}

const rows = []
for (const kind of Object.keys(KINDS))
  rows.push([kind, times, await onStage('backlog = 64', (stage) => measure(stage, kind))])
process.exitCode = report({
  json: process.argv.includes('--json'),
  title: 'starts that the guard took for an attack',
  headings: ['program', 'starts', 'repairs'],
  rows,
  figures: Object.fromEntries(rows.map(([kind, , repairs]) => [kind, repairs])),
  faults: rows
    .filter(([, , repairs]) => repairs > 0)
    .map(([kind, , repairs]) => `${repairs} starts of ${kind} were repaired`),
})
