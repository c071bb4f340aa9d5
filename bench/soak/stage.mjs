// A broker under its keeper, and workers, in a private directory.

import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../dist/client/index.js'

const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const PATIENCE_MS = 30_000
/** What of a worker's last words is told. */
const LAST_WORDS = 600

export class Stage {
  directory = mkdtempSync(join(tmpdir(), 'fd-broker-soak-'))
  control = join(this.directory, 'control.sock')
  client = connect({ socket: this.control, timeout: PATIENCE_MS })
  /** Those that serve, oldest first. */
  workers = []
  port = 0
  /** Workers that did not come to serve: when, and what they said. */
  missing = []
  #worker
  #started = 0
  #children = new Set()
  #service

  constructor(worker = join(import.meta.dirname, 'worker.mjs')) {
    this.#worker = worker
  }

  /** What the broker and its keeper say. */
  get log() {
    return join(this.directory, 'broker.log')
  }

  async open() {
    const config = join(this.directory, 'broker.toml')
    writeFileSync(
      config,
      `[broker]\ncontrol = "${this.control}"\n[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\ndrain_timeout = "20s"\nmax_generations = 16\n`,
      { mode: 0o600 },
    )
    this.#service = spawn(process.execPath, [CLI, 'serve', '--config', config], {
      stdio: ['ignore', 'ignore', openSync(this.log, 'a')],
    })
    const [web] = await this.client.list()
    this.port = Number(web.sockets[0].address.split(':').at(-1))
  }

  /** A new worker that serves; undefined when it did not come to that, which `missing` tells. */
  async startWorker(...args) {
    const env = { ...process.env, FD_BROKER_SOCKET: this.control }
    const words = join(this.directory, `worker-${++this.#started}.log`)
    const stderr = openSync(words, 'a')
    const child = fork(this.#worker, args, { env, stdio: ['ignore', 'ignore', stderr, 'ipc'] })
    closeSync(stderr)
    this.#children.add(child)
    child.once('exit', () => {
      this.#children.delete(child)
      this.workers = this.workers.filter((one) => one !== child)
    })
    const end = AbortSignal.timeout(PATIENCE_MS)
    const failure = await Promise.race([
      once(child, 'message', { signal: end }).then(() => undefined),
      once(child, 'exit', { signal: end }).then(([code, signal]) => `ended with ${signal ?? code}`),
    ]).catch(() => `did not serve within ${PATIENCE_MS / 1000} s`)
    if (failure === undefined) {
      this.workers.push(child)
      return child
    }
    child.kill('SIGKILL')
    const said = readFileSync(words, 'utf8').trim().slice(-LAST_WORDS)
    this.missing.push({ at: performance.now(), why: `worker ${child.pid} ${failure}: ${said || 'it said nothing'}` })
    return undefined
  }

  /** As a supervisor would, once: a second signal would end it at once. */
  stop(worker) {
    if (!this.workers.includes(worker)) return
    this.workers = this.workers.filter((one) => one !== worker)
    worker.kill('SIGTERM')
  }

  async close() {
    await this.client.close()
    await Promise.all([...this.#children].map((child) => ended(child, 'SIGKILL')))
    await ended(this.#service, 'SIGTERM')
    rmSync(this.directory, { recursive: true, force: true })
  }
}

async function ended(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  await exit
  clearTimeout(late)
}
