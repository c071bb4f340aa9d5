// Accepted connections a second: on a socket from the broker, on one that the worker bound itself, and by Node's cluster.

import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { output, until, withBench } from '../support/broker.mjs'
import { compile } from '../support/compile.mjs'
import { median, round } from '../support/table.mjs'

const WORKER = join(import.meta.dirname, 'worker.mjs')
/** Connections in flight: one connector each. */
const CONNECTORS = 2

export async function run({ quick }) {
  const seconds = quick ? 0.3 : 2
  const repeats = quick ? 1 : 5
  const connector = compile('connector')
  const ways = [
    ['one that bound the port itself', 'self', 1],
    ...[1, 2, 4].map((count) => [`from fd-broker, ${count} worker${count > 1 ? 's' : ''}`, 'broker', count]),
    ...[1, 2, 4].map((count) => [
      `Node cluster, round robin, ${count} worker${count > 1 ? 's' : ''}`,
      'cluster',
      count,
    ]),
  ]
  const rates = new Map(ways.map(([what]) => [what, []]))
  for (let i = 0; i < repeats; i++) {
    for (const [what, how, count] of ways) rates.get(what).push(await measure({ how, count, connector, seconds }))
  }
  const self = median(rates.get(ways[0][0]))
  const rows = [...rates].map(([what, all]) => [what, median(all), round(median(all) / self)])
  return {
    title: 'Data plane: the broker is not in it',
    notes: [`${CONNECTORS} connectors, ${repeats} × ${seconds} s each, in turn; the workers only accept and close`],
    tables: [{ heading: 'connections a second', columns: ['', 'a second', '× self-bound'], rows }],
  }
}

async function measure({ how, count, connector, seconds }) {
  return await withBench(async (bench) => {
    const port = await freePort()
    const env = { ...process.env, FD_BROKER_SOCKET: bench.control }
    if (how === 'broker') {
      await bench.serve({ sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:${port}"\nallow = ["any"]` })
      for (let i = 0; i < count; i++) bench.start([process.execPath, WORKER, how], { env })
      await until(async () => (await holders(env)) === count, 30_000)
    } else {
      const child = bench.start([process.execPath, WORKER, how, String(port), String(count)], { env })
      await until(() => accepts(port), 30_000)
      // The others of a cluster.
      await new Promise((resolve) => setTimeout(resolve, count > 1 ? 1000 : 0))
      if (child.exitCode !== null) throw new Error('the worker ended')
    }
    const runs = Array.from({ length: CONNECTORS }, () => output([connector, String(port), String(seconds)]))
    const rates = (await Promise.all(runs)).map((text) => JSON.parse(text).rate)
    return rates.reduce((sum, rate) => sum + rate, 0)
  })
}

async function holders({ FD_BROKER_SOCKET: socket }) {
  const { connect } = await import('../../dist/client/index.js')
  const broker = connect({ socket })
  try {
    return (await broker.holders('web')).filter(({ state }) => state === 'ready').length
  } finally {
    await broker.close()
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1')
    socket.once('close', (failed) => resolve(!failed)).once('error', () => {})
    socket.resume()
  })
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
