// Workers that serve in a process of their own, as bench/handover/worker.mjs does it.

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ServeResult } from '../../src/client/index.ts'
import { atEnd } from './cleanup.ts'

const script = fileURLToPath(new URL('../../bench/handover/worker.mjs', import.meta.url))

export interface ServeCommand {
  name: string
  kind?: 'http' | 'http2'
  takeover?: boolean
  drainTimeout?: number
  /** Closes idle connections at once, as a control. */
  abrupt?: boolean
  signals?: boolean
  notify?: boolean
}

export class ServeWorker {
  readonly process: ChildProcess
  readonly #heard: Record<string, unknown>[] = []
  #wake: () => void = () => {}

  constructor(control: string, env: NodeJS.ProcessEnv = {}) {
    const all = { ...process.env, NODE_OPTIONS: '', FD_BROKER_SOCKET: control, ...env }
    this.process = fork(script, { env: all, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.process.stderr?.on('data', (text) => process.stderr.write(text))
    this.process.on('message', (message) => {
      this.#heard.push(message as Record<string, unknown>)
      this.#wake()
    })
    const exited = new Promise((resolve) => this.process.once('close', resolve))
    this.process.once('exit', (code, signal) => {
      this.#heard.push({ said: 'failed', code: 'ENDED', message: `the worker ended with ${signal ?? code}` })
      this.#wake()
    })
    atEnd(async () => {
      this.process.kill('SIGKILL')
      await exited
    })
  }

  /** Resolves with the lease when it serves. */
  async serve(command: ServeCommand): Promise<number> {
    this.process.send({ do: 'serve', ...command })
    return (await this.#next('serving')).lease as number
  }

  /** Resolves when the lease of the last serve() is given back. */
  async over(): Promise<ServeResult> {
    return (await this.#next('over')).result as ServeResult
  }

  async #next(said: string): Promise<Record<string, unknown>> {
    for (;;) {
      const at = this.#heard.findIndex((message) => message.said === said)
      if (at >= 0) return this.#heard.splice(at, 1)[0]!
      const failed = this.#heard.find((message) => message.said === 'failed')
      if (failed) throw new Error(`${failed.code}: ${failed.message}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
