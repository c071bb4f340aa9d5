// A broker under its keeper, a worker that holds `web` (TCP and Unix), and clients of that worker: each a process of its own.

import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../dist/client/index.js'

const CLI = join(import.meta.dirname, '../../dist/cli/main.js')

/** `rate`: connections a second, half of them to each socket. Resolves with what `act` gives, and how the connections went. */
export async function underLoad(rate, act) {
  const stage = new Stage()
  const stop = () => stage.close().then(() => process.exit(130))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    await stage.open()
    const load = fork(join(import.meta.dirname, 'load.mjs'), [String(stage.port), stage.path, String(rate)])
    stage.children.push(load)
    const result = await act(stage)
    load.send('stop')
    const [connections] = await once(load, 'message')
    return { result, connections }
  } finally {
    await stage.close()
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

class Stage {
  directory = mkdtempSync(join(tmpdir(), 'fd-broker-bench-'))
  control = join(this.directory, 'control.sock')
  path = join(this.directory, 'web.sock')
  port = 0
  children = []
  #keeper

  async open() {
    const config = join(this.directory, 'broker.toml')
    writeFileSync(
      config,
      `[broker]\ncontrol = "${this.control}"\n[sockets.web]\nlisten = ["tcp://127.0.0.1:0", "unix://${this.path}"]\nallow = ["any"]\nbacklog = 4096\n[sockets.spare]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n`,
    )
    this.#keeper = spawn(process.execPath, [CLI, 'serve', '--config', config], {
      stdio: ['ignore', 'ignore', 'ignore'],
    })
    const { sockets } = await this.view()
    this.port = Number(/:(\d+)$/.exec(sockets[0].address)[1])
    const worker = fork(join(import.meta.dirname, 'worker.mjs'), [this.control])
    this.children.push(worker)
    await once(worker, 'message')
  }

  /** Asks on a connection of its own, as a command line does. */
  async ask(question) {
    const broker = connect({ socket: this.control, timeout: 20_000 })
    try {
      return await question(broker)
    } finally {
      await broker.close()
    }
  }

  async view() {
    return this.ask(async (broker) => (await broker.list()).find(({ name }) => name === 'web'))
  }

  async cookies() {
    return (await this.view()).sockets.map(({ cookie }) => cookie).join()
  }

  /** The keeper's one child. */
  get brokerPid() {
    const { pid } = this.#keeper
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
  }

  get keeperKilobytes() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#keeper.pid}/status`, 'utf8'))[1])
  }

  async close() {
    for (const child of [...this.children, this.#keeper]) {
      if (!child || child.exitCode !== null || child.signalCode !== null) continue
      const signal = child === this.#keeper ? 'SIGTERM' : 'SIGKILL'
      child.kill(signal)
      await once(child, 'exit')
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}
