// node scripts/takeovers.mjs [--count 200] [--rate 500] [--keep-alive | --http2] [--abrupt]: takeovers in a row of an HTTP service
// under a steady load; prints one table. Exits 1 when a request failed. `--abrupt` is the control: workers that close idle
// connections the moment they are drained. Needs `npm run build`.

import { fork, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect } from '../dist/client/index.js'
import { Http2Client } from './http2-client.mjs'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    rate: { type: 'string', default: '500' },
    'keep-alive': { type: 'boolean', default: false },
    http2: { type: 'boolean', default: false },
    abrupt: { type: 'boolean', default: false },
  },
})
const count = Number(values.count)
const rate = Number(values.rate)
const mode = values.http2 ? 'http2' : values['keep-alive'] ? 'keep-alive' : 'new connections'
/** Connections of the keep-alive run, used in turn. */
const CONNECTIONS = 20
const DRAIN_TIMEOUT = 4000
/** Between two takeovers, so that there is a steady state to compare with. */
const PAUSE = 150

const here = import.meta.dirname
const directory = mkdtempSync(join(tmpdir(), 'fd-broker-takeovers-'))
const control = join(directory, 'control.sock')

async function startBroker() {
  const config = join(directory, 'broker.toml')
  const text = `[broker]\ncontrol = "${control}"\n[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n`
  writeFileSync(config, text)
  const cli = join(here, '../dist/cli/main.js')
  const broker = spawn(process.execPath, [cli, 'serve', '--no-keeper', '--config', config], { stdio: 'ignore' })
  return broker
}

class Worker {
  #child = fork(join(here, 'takeovers-worker.mjs'), { env: { ...process.env, FD_BROKER_SOCKET: control } })
  #over = Promise.resolve()

  /** Resolves when it serves. */
  async takeOver() {
    const command = { name: 'web', kind: values.http2 ? 'http2' : 'http', takeover: true, drainTimeout: DRAIN_TIMEOUT }
    this.#child.send({ ...command, abrupt: values.abrupt })
    await this.#hear('serving')
    this.#over = this.#hear('over')
  }

  /** Resolves when the lease that it had is given back. */
  over() {
    return this.#over
  }

  stop() {
    this.#child.kill()
  }

  #hear(what) {
    return new Promise((resolve, reject) => {
      const listen = (message) => {
        if (message.failed) reject(new Error(message.failed))
        if (!(what in message)) return
        this.#child.off('message', listen)
        resolve(message)
      }
      this.#child.on('message', listen)
    })
  }
}

const sent = { steady: [], takeover: [] }
const failures = new Map()
let phase = 'steady'

function fail(error) {
  const what = error.code ?? error.message
  failures.set(what, (failures.get(what) ?? 0) + 1)
}

const agent = values['keep-alive'] && new Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' })

function askHttp1(port) {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent }, (response) => {
      response.on('end', resolve).on('error', reject).resume()
    })
    request.on('error', reject)
  })
}

let client
async function askHttp2(port) {
  if (!client || client.told) client = new Http2Client(port)
  if (!(await client.request())) throw new Error('not answered')
}

const ask = values.http2 ? askHttp2 : askHttp1

async function request(port) {
  const started = performance.now()
  const at = phase
  try {
    await ask(port)
  } catch (error) {
    fail(error)
  }
  // A request belongs to a takeover when any of its time does.
  sent[at === 'takeover' || phase === 'takeover' ? 'takeover' : 'steady'].push(performance.now() - started)
}

/** An open loop: what is late is not waited for, and not caught up with in a burst of more than ten. */
function load(port) {
  const pending = new Set()
  let due = performance.now()
  const timer = setInterval(() => {
    due = Math.max(due, performance.now() - 10_000 / rate)
    for (; due <= performance.now(); due += 1000 / rate) {
      const one = request(port).finally(() => pending.delete(one))
      pending.add(one)
    }
  }, 1)
  return async () => {
    clearInterval(timer)
    await Promise.all(pending)
  }
}

function row(name, times) {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
  console.log(
    `${name.padEnd(16)}${String(times.length).padStart(9)}${[0.5, 0.99, 0.999, 1].map((q) => at(q).padStart(10)).join('')}`,
  )
}

const daemon = await startBroker()
const workers = [new Worker(), new Worker()]
const broker = connect({ socket: control })
let status = 1
try {
  await workers[0].takeOver()
  const [web] = await broker.list()
  const stop = load(Number(web.sockets[0].address.split(':').at(-1)))
  await sleep(1000)
  const started = performance.now()
  for (let at = 1; at <= count; at++) {
    phase = 'takeover'
    await workers[at % 2].takeOver()
    await workers[(at - 1) % 2].over()
    phase = 'steady'
    await sleep(PAUSE)
  }
  const seconds = (performance.now() - started) / 1000
  await stop()
  const total = sent.steady.length + sent.takeover.length
  const failed = [...failures.values()].reduce((sum, each) => sum + each, 0)
  console.log(
    `${count} takeovers in ${seconds.toFixed(0)} s, ${mode}${values.abrupt ? ', abrupt (control)' : ''}, ${rate} requests/s`,
  )
  console.log(`failed ${failed} of ${total} requests ${failed ? JSON.stringify(Object.fromEntries(failures)) : ''}`)
  console.log(
    `${'latency, ms'.padEnd(16)}${['requests', 'p50', 'p99', 'p99.9', 'worst'].map((h, at) => h.padStart(at ? 10 : 9)).join('')}`,
  )
  row('during takeover', sent.takeover)
  row('steady', sent.steady)
  status = failed > 0 ? 1 : 0
} finally {
  await broker.close()
  for (const worker of workers) worker.stop()
  daemon.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
process.exit(status)
