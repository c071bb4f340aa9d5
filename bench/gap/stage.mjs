// A port, and whoever owns it: a broker where `mode` says so. Workers are processes of worker.mjs.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { freePort } from '../support/free-port.mjs'
import { passedSocket } from './passed-socket.mjs'

const WORKER = join(import.meta.dirname, 'worker.mjs')

export class Stage {
  port
  #env
  #passed
  #workers = new Set()

  static async open(bench, { how, mode }) {
    const stage = new Stage()
    stage.port = await freePort()
    stage.#env = { ...process.env, FD_BROKER_SOCKET: bench.control, NODE_NO_WARNINGS: '1' }
    const sockets = `[sockets.web]\nlisten = "tcp://127.0.0.1:${stage.port}"\nallow = ["any"]\nmode = "${mode}"`
    if (mode !== undefined) await bench.serve({ sockets })
    if (how === 'inherited') stage.#passed = await passedSocket(bench)
    return stage
  }

  /** `ipc`: it says what it does, and ends with this process. */
  start(how, { ipc = false } = {}) {
    const inherited = this.#passed?.fd ?? 'ignore'
    const stdio = ['ignore', 'ignore', 'ignore', inherited, ...(ipc ? ['ipc'] : [])]
    const worker = spawn(process.execPath, [WORKER, how, String(this.port)], { stdio, env: this.#env })
    this.#workers.add(worker)
    worker.once('exit', () => this.#workers.delete(worker))
    return worker
  }

  async close() {
    for (const worker of this.#workers) worker.kill('SIGKILL')
    await this.#passed?.close()
  }
}
