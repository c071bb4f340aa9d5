// Workers as they are, of every kind of socket, that start, take over from one another, stop and die; none of them means any harm.

import { fork, spawn } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../handover/stage.mjs'

const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const NODE_SERVER = `require('net').createServer((c) => c.end('x')).listen({ fd: 3 })`
const WSGI = `def app(environ, start):\n    start('200 OK', [])\n    return [b'x']\n`
const NGINX = (directory) => `daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log /dev/null;
events {} http { access_log off; server { listen 127.0.0.1:PORT; location / { return 200 "x"; } } }`

const HTTP = 'GET / HTTP/1.0\r\n\r\n'

/** `idle`: nobody ever holds it. `ask`: what a client sends. `exec`: a program, instead of a worker with the SDK. */
export const NAMES = {
  idle: { listen: 'tcp://127.0.0.1:0', idle: true },
  'idle-unix': { listen: 'unix://{dir}/idle.sock', idle: true },
  'idle-udp': { listen: 'udp://127.0.0.1:0', idle: true },
  web: { listen: 'tcp://127.0.0.1:0', ask: '' },
  web6: { listen: 'tcp://[::1]:0', ask: '' },
  local: { listen: 'unix://{dir}/local.sock', ask: '' },
  dgram: { listen: 'udp://127.0.0.1:0', ask: 'x' },
  plain: { listen: 'tcp://127.0.0.1:0', ask: '', exec: () => ['--', process.execPath, '-e', NODE_SERVER] },
  gunicorn: {
    listen: 'tcp://127.0.0.1:0',
    ask: HTTP,
    exec: ({ directory }) => ['--', 'gunicorn', '--chdir', directory, '--log-level', 'error', 'app:app'],
  },
  nginx: {
    listen: 'tcp://127.0.0.1:0',
    ask: HTTP,
    exec: ({ directory }) => [
      '--as',
      'nginx',
      '--drain-signal',
      'QUIT',
      '--',
      'nginx',
      '-c',
      join(directory, 'nginx.conf'),
    ],
  },
}

/** Those beside `web`, which every stage has. */
export const TABLES = Object.entries(NAMES)
  .filter(([name]) => name !== 'web')
  .map(([name, { listen }]) => `[sockets.${name}]\nlisten = "${listen}"\nallow = ["any"]\ndrain_timeout = "5s"\n`)
  .join('')

export class HonestWorkers {
  counts = { starts: 0, takeovers: 0, stops: 0, kills: 0 }
  #stage
  #name
  #kind
  #children = new Set()
  /** Process groups: workers of a program that was killed stay, and may wait for one more connection for ever. */
  #orphaned = new Set()

  constructor(stage, name) {
    this.#stage = stage
    this.#name = name
    this.#kind = NAMES[name]
  }

  /** Resolves once it is ready. */
  async start(takeover) {
    const child = this.#kind.exec ? this.#exec(takeover) : this.#fork(takeover)
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    this.counts[takeover ? 'takeovers' : 'starts']++
    const ready = async () =>
      (await this.#stage.broker.holders(this.#name)).some(({ pid, state }) => pid === child.pid && state === 'ready')
    if (!(await until(ready, 20_000))) throw new Error(`a worker of ${this.#name} did not become ready`)
    return child
  }

  /** A group of its own: a program's own workers end with it. */
  #spawn(command, options) {
    return spawn(command[0], command.slice(1), { ...options, detached: true, env: this.#env })
  }

  get #env() {
    return { ...process.env, FD_BROKER_SOCKET: this.#stage.control }
  }

  #fork(takeover) {
    const script = join(import.meta.dirname, 'honest-worker.mjs')
    return fork(script, [this.#name, ...(takeover ? ['--takeover'] : [])], { env: this.#env, detached: true })
  }

  #exec(takeover) {
    const options = [...(takeover ? ['--takeover'] : []), '--ready-after', '0.5']
    const command = [process.execPath, CLI, 'exec', this.#name, ...options, ...this.#kind.exec(this.#stage)]
    return this.#spawn(command, { stdio: 'ignore' })
  }

  async end(child, signal) {
    if (child.exitCode !== null || child.signalCode !== null) return
    this.counts[signal === 'SIGKILL' ? 'kills' : 'stops']++
    const ended = new Promise((resolve) => child.once('exit', () => resolve(true)))
    if (signal === 'SIGKILL') this.#orphaned.add(child.pid)
    child.kill(signal)
    if (!(await Promise.race([ended, until(() => false, 10_000)])))
      throw new Error(`${this.#name} does not end by ${signal}`)
  }

  /** A program that was killed cannot end its own workers. */
  killable() {
    return this.#name !== 'nginx'
  }

  close() {
    for (const pid of [...this.#orphaned, ...[...this.#children].map((child) => child.pid)]) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // Nobody of it is left.
      }
    }
  }
}

/** What the programs read. */
export function writeFiles({ directory }, ports) {
  chmodSync(directory, 0o755)
  writeFileSync(join(directory, 'app.py'), WSGI)
  writeFileSync(join(directory, 'nginx.conf'), NGINX(directory).replace('PORT', ports.nginx))
}
