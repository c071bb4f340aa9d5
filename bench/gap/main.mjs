// From a crash (SIGKILL of a worker) to the next answer, under a client that asks a thousand times a second on new connections.

import { spawn } from 'node:child_process'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../dist/client/index.js'
import { withBench } from '../support/broker.mjs'
import { quantile, round } from '../support/table.mjs'

const WORKER = join(import.meta.dirname, 'worker.mjs')
const PATIENCE_MS = 10_000

const WAYS = [
  { what: 'self-bound, restart loop', mode: undefined, how: 'self', workers: 1 },
  { what: 'a supervisor holds the socket and restarts', mode: 'shared', how: 'inherited', workers: 1 },
  { what: 'fd-broker, restart loop', mode: 'shared', how: 'broker', workers: 1 },
  { what: 'fd-broker, two shared workers', mode: 'shared', how: 'broker', workers: 2 },
  { what: 'fd-broker, exclusive with a standby', mode: 'exclusive', how: 'standby', workers: 2 },
]

export async function run({ quick }) {
  const rounds = quick ? 2 : 20
  const rows = []
  for (const way of WAYS) rows.push(await withBench((bench) => measure(bench, way, rounds)))
  return {
    title: 'Gap: from a crash to the next answer',
    notes: [
      `${rounds} times kill -9 of the worker that answers; ms; refused: connections refused or reset until then, all rounds`,
    ],
    tables: [{ heading: 'crash → next answer', columns: ['', 'p50', 'worst', 'refused'], rows }],
  }
}

async function measure(bench, way, rounds) {
  const stage = await prepare(bench, way)
  const gaps = []
  let refused = 0
  try {
    for (let i = 0; i < way.workers; i++) stage.start()
    for (let i = 0; i < rounds; i++) {
      const pid = await firstAnswer(stage.port).then(({ pid }) => pid)
      await sleep(300)
      const from = performance.now()
      process.kill(pid, 'SIGKILL')
      const next = await firstAnswer(stage.port, pid)
      gaps.push(performance.now() - from)
      refused += next.refused
    }
  } finally {
    await stage.stop()
  }
  return [way.what, round(quantile(gaps, 0.5)), round(Math.max(...gaps)), refused]
}

/** Workers that are started again as soon as they have ended. */
async function prepare(bench, { mode, how }) {
  const port = await freePort()
  if (mode !== undefined) await serve(bench, port, mode)
  // The parent of an inherited socket has it from our broker: Node.js accepts on whatever it listens on itself.
  const lease = how === 'inherited' ? await parentLease(bench) : undefined
  const env = { ...process.env, FD_BROKER_SOCKET: bench.control, NODE_NO_WARNINGS: '1' }
  const stdio = ['ignore', 'ignore', 'ignore', ...(lease ? [lease.fd] : [])]
  const children = new Set()
  let over = false
  const start = () => {
    const child = spawn(process.execPath, [WORKER, how, String(port)], { stdio, env })
    children.add(child)
    child.once('exit', () => {
      children.delete(child)
      if (!over) start()
    })
  }
  const stop = async () => {
    over = true
    for (const child of children) child.kill('SIGKILL')
    await lease?.broker.close()
  }
  return { port, start, stop }
}

async function parentLease({ control }) {
  const broker = connect({ socket: control })
  const { fd } = await broker.acquire('web', { ready: true })
  return { broker, fd }
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function serve(bench, port, mode) {
  const sockets = `[sockets.web]\nlisten = "tcp://127.0.0.1:${port}"\nallow = ["any"]\nmode = "${mode}"`
  await bench.serve({ sockets })
}

/** Asks every millisecond, without waiting for what was asked before, until another than `former` has answered. */
function firstAnswer(port, former) {
  return new Promise((resolve, reject) => {
    let refused = 0
    const stop = () => {
      clearInterval(timer)
      clearTimeout(late)
    }
    const late = setTimeout(() => {
      stop()
      reject(new Error(`no answer within ${PATIENCE_MS} ms`))
    }, PATIENCE_MS)
    const ask = () => {
      const asked = request({ port, host: '127.0.0.1', agent: false }, (answer) => {
        answer.setEncoding('utf8').once('data', (text) => {
          if (Number(text) === former) return
          stop()
          resolve({ pid: Number(text), refused })
        })
      })
      asked.on('error', () => refused++)
      asked.end()
    }
    const timer = setInterval(ask, 1)
  })
}
