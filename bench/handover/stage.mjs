// A broker of its own in a private directory, and workers that are processes of their own; all of them end with the stage.

import { execFile, fork, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { connect } from '../../dist/client/index.js'
import { Worker } from './worker-handle.mjs'

const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const run = promisify(execFile)

/** Runs `act` on a stage; `keys` is the TOML of the name `web`, which listens on a loopback port, and of what follows; `{dir}` is the directory. */
export async function onStage(keys, act) {
  const stage = new Stage(keys)
  const stop = () => stage.close().then(() => process.exit(130))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    await stage.open()
    return await act(stage)
  } finally {
    await stage.close()
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

class Stage {
  directory = mkdtempSync(join(tmpdir(), 'fd-broker-bench-'))
  control = join(this.directory, 'control.sock')
  broker = connect({ socket: this.control })
  /** Every event so far. */
  events = []
  port = 0
  /** Arguments of node for the command line, with this broker. */
  cli = [CLI, '--socket', this.control]
  #config = join(this.directory, 'broker.toml')
  #daemon
  #processes = new Set()

  constructor(keys) {
    const text = `[broker]\ncontrol = "${this.control}"\n[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n${keys}\n`
    writeFileSync(this.#config, text.replaceAll('{dir}', this.directory))
  }

  async open() {
    this.#daemon = spawn(process.execPath, [CLI, 'serve', '--config', this.#config], { stdio: 'ignore' })
    const [web] = await this.broker.list()
    this.port = Number(web.sockets[0].address.split(':').at(-1))
    const feed = this.broker.events()
    this.#collect(feed)
    // The feed is subscribed once an event that we cause has come.
    for (; this.events.length === 0; await sleep(10)) await this.broker.resume('web')
  }

  async #collect(feed) {
    try {
      for await (const event of feed) this.events.push(event)
    } catch {
      // The stage closes.
    }
  }

  startWorker() {
    const child = fork(join(import.meta.dirname, 'worker.mjs'), {
      env: { ...process.env, FD_BROKER_SOCKET: this.control, NODE_NO_WARNINGS: '1' },
    })
    this.#processes.add(child)
    child.once('exit', () => this.#processes.delete(child))
    return new Worker(child)
  }

  /** The operator's command line. Resolves with its standard output. */
  async command(...args) {
    const { stdout } = await run(process.execPath, [...this.cli, ...args])
    return stdout
  }

  async close() {
    await this.broker.close()
    for (const child of this.#processes) await ended(child, 'SIGKILL')
    await ended(this.#daemon, 'SIGTERM')
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function ended(child, signal) {
  if (!child || child.exitCode !== null || child.signalCode !== null) return undefined
  return new Promise((resolve) => {
    child.once('exit', resolve)
    child.kill(signal)
  })
}

/** Polls every millisecond; false when it did not come within `ms`. */
export async function until(condition, ms = 10_000) {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(1)) if (await condition()) return true
  return false
}
