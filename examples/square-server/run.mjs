// What a crash costs: the same crashing server under a restart loop, without and with fd-broker. Prints one line a way.
//   node examples/square-server/run.mjs [--json]
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'fd-broker'
import { runClients } from './clients.mjs'

const INTERVAL_MS = 20
const directory = mkdtempSync(join(tmpdir(), 'square-server-'))
const socket = join(directory, 'control.sock')
const here = (file) => join(import.meta.dirname, file)
const running = new Set()

function run(args, env = {}) {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

async function stop(child) {
  child.kill('SIGTERM')
  while (running.has(child)) await sleep(5)
}

const loop = (how, what) =>
  run([here('loop.mjs'), process.execPath, here('server.mjs'), how, String(what)], { FD_BROKER_SOCKET: socket })

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function until(condition) {
  for (let tries = 0; tries < 500; tries++) {
    if (await condition().catch(() => false)) return
    await sleep(20)
  }
  throw new Error('nothing came up within ten seconds')
}

/** Runs the clients against `loops` of servers once `up` says that they serve. */
async function measure(way, port, loops, up) {
  await until(up)
  const clients = await runClients(port, INTERVAL_MS)
  for (const child of loops) await stop(child)
  const crash = clients[5].at
  const answered = clients.filter(({ answer, number }) => answer === number ** 2)
  const after = answered.filter(({ number }) => number > 5).map(({ at }) => at)
  return {
    way,
    answered: answered.length,
    refused: clients.filter(({ error }) => error === 'ECONNREFUSED').length,
    lost: clients.filter(({ error }) => error !== undefined && error !== 'ECONNREFUSED').length,
    gapMs: Math.round(Math.min(...after) - crash),
  }
}

const connects = (port) => async () =>
  new Promise((resolve) => {
    const probe = net.connect({ port, host: '127.0.0.1' })
    probe.once('connect', () => probe.end('0\n')).once('close', (failed) => resolve(!failed))
    // Unread, the answer would hold the end of the connection back.
    probe.resume().on('error', () => {})
  })

async function main() {
  const [alone, shared, exclusive] = [await freePort(), await freePort(), await freePort()]
  const results = []
  results.push(await measure('no broker, restart loop', alone, [loop('bind', alone)], connects(alone)))

  const config = join(directory, 'broker.toml')
  writeFileSync(
    config,
    `[broker]
control = ${JSON.stringify(socket)}
[sockets.square]
listen = "tcp://127.0.0.1:${shared}"
allow = ["user:${process.getuid()}"]
drain_timeout = "100ms"
[sockets.square-exclusive]
listen = "tcp://127.0.0.1:${exclusive}"
allow = ["user:${process.getuid()}"]
mode = "exclusive"
drain_timeout = "100ms"
`,
    { mode: 0o600 },
  )
  const server = run([
    join(import.meta.dirname, '../../dist/cli/main.js'),
    'serve',
    '--no-keeper',
    '--log-level',
    'error',
    '--config',
    config,
  ])
  const broker = connect({ socket })
  const count = (name, ready, waiting) => async () => {
    const view = (await broker.list()).find((view) => view.name === name)
    return view.holders.ready === ready && view.waiting === waiting
  }
  results.push(await measure('broker, one worker', shared, [loop('acquire', 'square')], count('square', 1, 0)))
  const pair = [loop('acquire', 'square'), loop('acquire', 'square')]
  results.push(await measure('broker, two workers', shared, pair, count('square', 2, 0)))
  const standby = [loop('acquire', 'square-exclusive'), loop('acquire', 'square-exclusive')]
  results.push(await measure('broker, exclusive with standby', exclusive, standby, count('square-exclusive', 1, 1)))
  await broker.close()
  await stop(server)
  return results
}

function print(results) {
  const line = (cells) =>
    console.log(cells.map((cell, at) => String(cell)[at === 0 ? 'padEnd' : 'padStart'](at === 0 ? 32 : 9)).join(''))
  line(['', 'answered', 'refused', 'lost', 'gap ms'])
  for (const { way, answered, refused, lost, gapMs } of results) line([way, `${answered}/20`, refused, lost, gapMs])
  console.log(
    '\nThe one client lost with the broker is number 5, whose message crashed the worker that had accepted it.',
  )
}

// SIGTERM and not SIGKILL: a loop ends its server first.
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM')
  rmSync(directory, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const results = await main()
if (process.argv.includes('--json')) console.log(JSON.stringify(results))
else print(results)
