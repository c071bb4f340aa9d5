// Accepted connections a second: on a socket from the broker, on one that the worker bound itself, and by Node's cluster.
//
// All that is compared runs at once and is asked in turn, a quarter of a second each; who is not asked does nothing. Processes that do the
// same differ by some percent for as long as they live, so each turn of turns has new ones.

import { once } from 'node:events'
import { join } from 'node:path'
import { CORE, output, pinned, withBench } from '../support/broker.mjs'
import { compile } from '../support/compile.mjs'
import { freePort } from '../support/free-port.mjs'
import { median, round } from '../support/table.mjs'

const WORKER = join(import.meta.dirname, 'worker.mjs')
const SLICE_S = 0.25

const ONE = [
  { what: 'self-bound', how: 'self' },
  { what: 'self-bound, another process: the noise', how: 'self' },
  { what: 'from fd-broker', how: 'broker' },
  { what: 'Node cluster, round robin', how: 'round-robin' },
]
const several = (count) => [
  { what: `${count} workers, self-bound (cluster, shared handle)`, how: 'shared-handle', count },
  { what: `${count} workers, from fd-broker`, how: 'broker', count },
  { what: `${count} workers, Node cluster, round robin`, how: 'round-robin', count },
]

export async function run({ quick }) {
  const connector = compile('connector')
  const options = quick ? { stages: 1, turns: 2 } : { stages: 6, turns: 12 }
  const one = await compare(ONE, options, { connectors: [pinned(connector)], through: pinned() })
  const loose = { connectors: [[connector], [connector]], through: [] }
  const more = [await compare(several(2), options, loose), await compare(several(4), options, loose)]
  const columns = ['', 'a second', '× self-bound']
  return {
    title: 'Data plane: the broker is not in it',
    notes: [
      `${options.stages} × ${options.turns} × ${SLICE_S} s each, in turn; the workers only accept and close; ×: the median of the ratios within a turn`,
    ],
    tables: [
      { heading: `connections a second: one worker and one client, on core ${CORE}`, columns, rows: one },
      { heading: 'connections a second: several workers and two clients, on all cores', columns, rows: more.flat() },
    ],
  }
}

/** One row for each of `ways`, of which the first is what the others are compared with. */
async function compare(ways, { stages, turns }, how) {
  const seen = ways.map(({ what }) => ({ what, rates: [], ratios: [] }))
  for (let i = 0; i < stages; i++) {
    await withBench(async (bench) => {
      const ports = []
      for (const way of ways) ports.push(await start(bench, way, how))
      for (let turn = 0; turn < turns; turn++) addTurn(seen, await measureTurn(ports, how, turn % 2 === 1))
    })
  }
  return seen.map(({ what, rates, ratios }) => [what, Math.round(median(rates)), round(median(ratios), 3)])
}

function addTurn(seen, rates) {
  for (const [i, { rates: all, ratios }] of seen.entries()) {
    all.push(rates[i])
    ratios.push(rates[i] / rates[0])
  }
}

async function measureTurn(ports, { connectors }, backwards) {
  const rates = []
  const order = ports.map((port, i) => ({ port, i }))
  for (const { port, i } of backwards ? order.toReversed() : order) {
    const runs = connectors.map((connector) => output([...connector, String(port), String(SLICE_S)]))
    rates[i] = (await Promise.all(runs)).reduce((sum, text) => sum + JSON.parse(text).rate, 0)
  }
  return rates
}

/** Resolves with the port, when all workers accept. */
async function start(bench, { how, count = 1 }, { through }) {
  const port = await freePort()
  const brokered = how === 'broker'
  if (brokered) await bench.serve({ sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:${port}"\nallow = ["any"]` })
  const env = { ...process.env, FD_BROKER_SOCKET: bench.control, NODE_NO_WARNINGS: '1' }
  for (let i = 0; i < (brokered ? count : 1); i++) {
    const argv = [...through, process.execPath, WORKER, how, String(port), String(count)]
    const worker = bench.start(argv, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const ready = await Promise.race([once(worker.stdout, 'data'), once(worker, 'exit').then(() => undefined)])
    if (ready === undefined) throw new Error(`a worker (${how}) ended before it was ready`)
  }
  return port
}
