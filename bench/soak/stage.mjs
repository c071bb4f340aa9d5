// A broker under its keeper, and workers, in a private directory.

import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../dist/client/index.js'

const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const PATIENCE_MS = 30_000

export class Stage {
  directory = mkdtempSync(join(tmpdir(), 'fd-broker-soak-'))
  control = join(this.directory, 'control.sock')
  client = connect({ socket: this.control, timeout: PATIENCE_MS })
  /** Those that serve, oldest first. */
  workers = []
  port = 0
  #children = new Set()
  #service

  async open() {
    const config = join(this.directory, 'broker.toml')
    writeFileSync(
      config,
      `[broker]\ncontrol = "${this.control}"\n[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\ndrain_timeout = "20s"\nmax_generations = 16\n`,
      { mode: 0o600 },
    )
    this.#service = spawn(process.execPath, [CLI, 'serve', '--config', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#service.stderr.resume()
    const [web] = await this.client.list()
    this.port = Number(web.sockets[0].address.split(':').at(-1))
  }

  /** A new worker that serves; undefined when it did not come to that. */
  async startWorker(...args) {
    const env = { ...process.env, FD_BROKER_SOCKET: this.control }
    const child = fork(join(import.meta.dirname, 'worker.mjs'), args, {
      env,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    this.#children.add(child)
    child.once('exit', () => {
      this.#children.delete(child)
      this.workers = this.workers.filter((one) => one !== child)
    })
    const end = AbortSignal.timeout(PATIENCE_MS)
    const served = await Promise.race([
      once(child, 'message', { signal: end }).then(() => true),
      once(child, 'exit', { signal: end }).then(() => false),
    ]).catch(() => false)
    if (served) this.workers.push(child)
    else child.kill('SIGKILL')
    return served ? child : undefined
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
