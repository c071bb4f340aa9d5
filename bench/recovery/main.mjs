// The broker dies (SIGKILL) and its keeper starts the next: from the kill to the next answer on the control socket. And how long the
// control plane stands still during `fd-broker upgrade`, seen by a client that asks without pause.

import { connect } from '../../dist/client/index.js'
import { CLI, output, withBench } from '../support/broker.mjs'
import { quantile, round } from '../support/table.mjs'

const SOCKETS = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]'
/** The keeper backs off from the fifth death within ten seconds. */
const PAUSE_MS = 2000

const ACTS = [
  { what: 'nothing happens: the noise', act: () => {} },
  { what: 'kill -9 of the broker', act: crash },
  { what: 'fd-broker upgrade', act: upgrade },
]

export async function run({ quick }) {
  const rounds = quick ? 1 : 10
  const waits = await withBench((bench) => measure(bench, rounds))
  return {
    title: 'Recovery: the broker dies, or is replaced',
    notes: [`${rounds} rounds each, in turn; ms; connections to the service go on meanwhile in all cases`],
    tables: [
      {
        heading: 'the longest wait for an answer on the control socket',
        columns: ['', 'p50', 'worst'],
        rows: [...waits].map(([what, all]) => [what, round(quantile(all, 0.5)), round(Math.max(...all))]),
      },
    ],
  }
}

async function measure(bench, rounds) {
  const { child } = await bench.serve({ sockets: SOCKETS, args: [] })
  const waits = new Map(ACTS.map(({ what }) => [what, []]))
  for (let i = 0; i < rounds; i++) {
    for (const { what, act } of ACTS) {
      waits.get(what).push(await longestWait(bench, () => act(bench)))
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
  // A broker outlives a keeper that is killed: this one is to end with it.
  await bench.stop(child, 'SIGTERM')
  return waits
}

/** Asks for the list again and again, until a second after `act`. */
async function longestWait({ control }, act) {
  const broker = connect({ socket: control })
  let longest = 0
  let over = false
  const asking = (async () => {
    while (!over) {
      const from = performance.now()
      await broker.list()
      longest = Math.max(longest, performance.now() - from)
      await new Promise(setImmediate)
    }
  })()
  try {
    await act()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    over = true
    await asking
    return longest
  } finally {
    await broker.close()
  }
}

async function crash({ control }) {
  const said = JSON.parse(await output([process.execPath, CLI, '--socket', control, 'stats', '--json']))
  process.kill(said.pid, 'SIGKILL')
}

async function upgrade({ control }) {
  await output([process.execPath, CLI, '--socket', control, 'upgrade'])
}
