import { closeSync, fstatSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { type Broker, connect } from '../../src/client/index.ts'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, startDaemon, until } from '../support/daemon.ts'
import { forbidLeaks, leakedSince, openFds } from '../support/leaks.ts'

forbidLeaks()

const SDK = new URL('../../dist/client/index.js', import.meta.url).href
const SOCKETS = `
[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]
allow = ["any"]
[sockets.one]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
mode = "exclusive"
[sockets.dns]
listen = "udp://127.0.0.1:0"
allow = ["any"]
`

/** What the program says when it is at work. */
interface Said {
  lease: number
  address: string
  fds?: number[]
}

const SERVE = `
const server = http.createServer((_request, response) => response.end(String(lease.id)))
lease.serve(server)
await once(server, 'listening')
await said({})`

/** A thread that has acquired `name` as `lease`, and runs `program`; when it is told so, `end`. */
class Thread {
  readonly worker: Worker
  readonly exited: Promise<number>
  /** Its modules are there. Node leaves files open where a thread ends before that. */
  readonly loaded: Promise<void>
  readonly said: Promise<Said>

  constructor(daemon: Daemon, name: string, program = SERVE, end = '') {
    const script = `
const { parentPort } = require('node:worker_threads')
const { once } = require('node:events')
const http = require('node:http'), dgram = require('node:dgram')
parentPort.once('message', () => { ${end} })
const run = async () => {
  const { connect } = await import(${JSON.stringify(SDK)})
  parentPort.postMessage('loaded')
  const broker = connect({ socket: ${JSON.stringify(daemon.control)} })
  const lease = await broker.acquire(${JSON.stringify(name)}, { ready: true })
  const said = (more) => parentPort.postMessage({ lease: lease.id, address: lease.sockets[0].address, ...more })
  ${program}
}
run()`
    this.worker = new Worker(script, { eval: true })
    this.exited = new Promise((resolve) => this.worker.once('exit', resolve))
    this.loaded = new Promise((resolve) => this.worker.once('message', () => resolve()))
    this.said = new Promise((resolve, reject) => {
      this.worker.on('message', (message) => message !== 'loaded' && resolve(message))
      this.worker.once('error', reject)
    })
    this.said.catch(() => {})
    atEnd(() => this.worker.terminate())
  }
}

const ENDS: [string, string][] = [
  ['is terminated', ''],
  ['throws', `throw new Error('on purpose')`],
  ['calls process.exit()', 'process.exit(3)'],
]

async function end(thread: Thread, how: string): Promise<void> {
  if (how === '') await thread.worker.terminate()
  else thread.worker.postMessage('end')
  await thread.exited
}

async function use(run: (daemon: Daemon, viewer: Broker) => Promise<void>): Promise<void> {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const viewer = connect({ socket: daemon.control })
  atEnd(() => viewer.close())
  await run(daemon, viewer)
}

const ask = async ({ address }: Said) => {
  const response = await fetch(address.replace('tcp:', 'http:'), { headers: { connection: 'close' } })
  return Number(await response.text())
}

/** Leases, and processes that have a socket open without one. */
const holders = async (viewer: Broker) => (await viewer.holders()).map(({ lease, name, state }) => [lease, name, state])

describe('a thread that ends with a lease', () => {
  it.each(ENDS)('and %s gives it back, to its successor; other threads go on', (_, how) =>
    use(async (daemon, viewer) => {
      const other = await new Thread(daemon, 'web').said
      const first = new Thread(daemon, 'one', SERVE, how)
      const served = await first.said
      expect(await ask(served)).toBe(served.lease)
      expect(await holders(viewer)).toHaveLength(2)

      await end(first, how)
      const left = [[other.lease, 'web', 'ready']]
      await until(async () => (await holders(viewer)).length === 1, 'the lease ends')
      expect(await holders(viewer)).toEqual(left)
      const next = await new Thread(daemon, 'one').said
      expect(next.address).toBe(served.address)
      expect(await ask(next)).toBe(next.lease)
      expect(await ask(other)).toBe(other.lease)
    }),
  )

  const PROGRAMS: [string, string, string][] = [
    ['serves two sockets', 'web', SERVE],
    ['listens by server.listen(lease)', 'one', `http.createServer().listen(lease, () => said({}))`],
    ['receives datagrams', 'dns', `await lease.listen(dgram.createSocket('udp4')); await said({})`],
    ['does nothing', 'web', `await said({}); setInterval(() => {}, 1000)`],
    ['waits for another', 'one', `await said({}); await broker.acquire('one', { wait: Infinity })`],
  ]
  it.each(PROGRAMS)('and %s leaves no descriptor', (_, name, program) =>
    use(async (daemon, viewer) => {
      // Once before, for what the main thread opens at its first worker.
      for (const round of ['first', 'second']) {
        const before = openFds()
        const thread = new Thread(daemon, name, program)
        await thread.said
        await thread.worker.terminate()
        if (round === 'second') expect(await leakedSince(before)).toEqual([])
        await until(async () => (await holders(viewer)).length === 0, 'the lease ends')
      }
    }),
  )

  it('leaves those that its program took', () =>
    use(async (daemon) => {
      const thread = new Thread(
        daemon,
        'web',
        `said({ fds: [...lease.fds, ...lease.take()] }); setInterval(() => {}, 1000)`,
      )
      const { fds } = await thread.said
      expect(fds).toHaveLength(4)
      await thread.worker.terminate()
      expect(fds!.map((fd) => fstatSync(fd).isSocket())).toEqual([true, true, true, true])
      for (const fd of fds!) closeSync(fd)
    }))
})

describe('threads that are terminated at any moment of their lives', () => {
  it('leave no descriptor and no lease', () =>
    use(async (daemon, viewer) => {
      const other = await new Thread(daemon, 'web').said
      const before = openFds()
      for (let round = 0; round < 10; round++) {
        const threads = [new Thread(daemon, 'web'), new Thread(daemon, 'web')]
        await Promise.all(threads.map((thread) => thread.loaded))
        await sleep(round)
        await Promise.all(threads.map(({ worker }) => worker.terminate()))
      }
      expect(await leakedSince(before)).toEqual([])
      await until(async () => (await holders(viewer)).length === 1, 'their leases end')
      expect(await ask(other)).toBe(other.lease)
    }))
})
