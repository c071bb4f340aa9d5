// One release after another under a steady load: what fails, and what the others wait. Each release is a process that starts anew, and a
// takeover lasts from its start, or from the stop of the former one where that goes first, until the former process has ended.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { failed, startLoad } from '../handover/load.mjs'
import { withBench } from '../support/broker.mjs'
import { quantile, round } from '../support/table.mjs'
import { Stage } from './stage.mjs'

const RATE = 500
const KINDS = ['new connections', 'keep-alive']
/** Between takeovers: what a takeover leaves behind counts as its own, the rest is the state to compare with. */
const PAUSE_MS = 600
const AFTERMATH_MS = 200

const WAYS = [
  { what: 'fd-broker, takeover', how: 'takeover', mode: 'shared', replace: besideUntilDrained },
  { what: 'SO_REUSEPORT: the new one binds, the old one closes', how: 'reuse-port', replace: besideThenStop },
  { what: 'Node cluster, rolling restart', how: 'cluster', replace: byPrimary },
  { what: 'stop, start: a supervisor holds the socket', how: 'inherited', mode: 'shared', replace: stopThenStart },
  { what: 'stop, start', how: 'self', replace: stopThenStart },
]

export async function takeovers({ quick }) {
  const rounds = quick ? 2 : 5
  const turns = quick ? [WAYS] : [WAYS, WAYS.toReversed(), WAYS]
  const tables = []
  for (const kind of KINDS) {
    const seen = new Map(WAYS.map((way) => [way, { during: [], before: [], lost: 0 }]))
    for (const way of turns.flat()) {
      const run = await withBench((bench) => measure(bench, way, kind, rounds))
      add(seen.get(way), run)
    }
    tables.push({
      heading: `${rounds * turns.length} takeovers each at ${RATE} requests/s, ${kind}`,
      columns: ['', 'failed', 'of', 'p99 before', 'p99 during', '×'],
      rows: [...seen].map(([{ what }, figures]) => rowOf(what, figures)),
    })
  }
  return tables
}

function rowOf(what, { during, before, lost }) {
  const [steady, busy] = [before, during].map((latencies) => round(quantile(latencies, 0.99)))
  return [what, lost, during.length + before.length + lost, steady, busy, round(busy / steady, 1)]
}

async function measure(bench, { how, mode, replace }, kind, rounds) {
  const stage = await Stage.open(bench, { how, mode })
  try {
    const start = () => stage.start(how, { ipc: true })
    let current = start()
    await heard(current, 'serving')
    const load = startLoad(stage.port, RATE, kind)
    await sleep(PAUSE_MS)
    const spans = []
    for (let i = 0; i < rounds; i++) {
      const from = performance.now()
      current = await replace(current, start)
      spans.push({ from, to: performance.now() })
      await sleep(PAUSE_MS)
    }
    return { spans, requests: await load.stop() }
  } finally {
    await stage.close()
  }
}

/** A request belongs to a takeover when any of its time does. Of those that failed the time says nothing. */
function add(seen, { spans, requests }) {
  seen.lost += failed(requests).length
  for (const { at, took, error } of requests) {
    const overlaps = spans.some(({ from, to }) => at < to + AFTERMATH_MS && at + took > from)
    if (error === undefined) seen[overlaps ? 'during' : 'before'].push(took)
  }
}

/** The broker asks the former one to drain. */
async function besideUntilDrained(former, start) {
  const next = start()
  await ended(former)
  return next
}

async function besideThenStop(former, start) {
  const next = start()
  await heard(next, 'serving')
  former.send('stop')
  await ended(former)
  return next
}

async function stopThenStart(former, start) {
  former.send('stop')
  await ended(former)
  const next = start()
  await heard(next, 'serving')
  return next
}

async function byPrimary(primary) {
  primary.send('next')
  await heard(primary, 'replaced')
  return primary
}

async function ended(worker) {
  if (worker.exitCode === null && worker.signalCode === null) await once(worker, 'exit')
}

function heard(worker, what) {
  return new Promise((resolve, reject) => {
    const hear = (said) => said === what && settle(resolve)
    const fail = (code, signal) =>
      settle(reject, new Error(`a worker ended (${code ?? signal}) before it said ${what}`))
    const settle = (act, value) => {
      worker.off('message', hear).off('exit', fail)
      act(value)
    }
    worker.on('message', hear).once('exit', fail)
  })
}
