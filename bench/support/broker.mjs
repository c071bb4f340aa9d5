// A broker of its own for one measurement, in a private directory; `core` pins it, and what is run through `pinned`.

import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

export const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const execute = promisify(execFile)
const START_MS = 60_000

/** The core that everything which is compared by its cost shares, so that no scheduler's choice is measured. */
export const CORE = process.env.BENCH_CORE ?? '0'
export const pinned = (...argv) => ['taskset', '-c', CORE, ...argv]

export class Bench {
  directory = mkdtempSync(join(tmpdir(), 'fd-broker-bench-'))
  control = join(this.directory, 'control.sock')
  #children = new Set()

  /** Starts `argv` and ends it with this; its output goes nowhere. */
  start(argv, options = {}) {
    const child = spawn(argv[0], argv.slice(1), { stdio: 'ignore', ...options })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  /** `sockets`: TOML. Resolves with the process once it serves, and with how long that took in ms. */
  async serve({ sockets, broker = '', args = ['--no-keeper'], through = [] }) {
    const config = join(this.directory, 'broker.toml')
    writeFileSync(config, `[broker]\ncontrol = "${this.control}"\n${broker}\n${sockets}\n`)
    const from = performance.now()
    const child = this.start([...through, process.execPath, CLI, 'serve', '--config', config, ...args])
    await until(() => existsSync(this.control) || child.exitCode !== null, START_MS)
    if (child.exitCode !== null) throw new Error(`the broker did not start: try ${CLI} check ${config}`)
    return { child, started: performance.now() - from }
  }

  async stop(child, signal = 'SIGKILL') {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }

  async close() {
    await Promise.all([...this.#children].map((child) => this.stop(child)))
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export async function withBench(act) {
  const bench = new Bench()
  try {
    return await act(bench)
  } finally {
    await bench.close()
  }
}

/** Standard output of a program. */
export async function output(argv, options = {}) {
  const { stdout } = await execute(argv[0], argv.slice(1), { maxBuffer: 64 * 1024 * 1024, ...options })
  return stdout
}

/** Polls every millisecond. */
export async function until(condition, ms = 10_000) {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(1)) if (await condition()) return
  throw new Error(`waited ${ms} ms for ${condition}`)
}

/** Resident memory of a process, in KiB. */
export function rss(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])
}
