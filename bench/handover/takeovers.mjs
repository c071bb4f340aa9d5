// node bench/handover/takeovers.mjs [--rounds 200] [--rate 500] [--keep-alive | --http2] [--abrupt] [--json]: takeovers in a row
// of an HTTP service under a steady load. No request may fail. `--abrupt` is the control: workers that close idle connections
// the moment they are drained.

import { setTimeout as sleep } from 'node:timers/promises'
import { countErrors, failed, startLoad } from './load.mjs'
import { readOptions } from './options.mjs'
import { report, spread } from './report.mjs'
import { onStage } from './stage.mjs'

const flag = { type: 'boolean', default: false }
const options = readOptions({ rounds: 200, rate: 500 }, { 'keep-alive': flag, http2: flag, abrupt: flag })
const { rounds, rate, abrupt, json } = options
const mode = options.http2 ? 'http2' : options['keep-alive'] ? 'keep-alive' : 'new connections'
const DRAIN_TIMEOUT = 4000
/** Between two takeovers, so that there is a steady state to compare with. */
const PAUSE = 150

async function measure(stage) {
  const how = { kind: mode === 'http2' ? 'http2' : 'http', takeover: true, drainTimeout: DRAIN_TIMEOUT, abrupt }
  const workers = [stage.startWorker(), stage.startWorker()]
  await workers[0].begin(how)
  const load = startLoad(stage.port, rate, mode)
  const takeovers = []
  await sleep(1000)
  for (let round = 1; round <= rounds; round++) {
    const from = performance.now()
    const [next, former] = round % 2 ? [workers[1], workers[0]] : workers
    const left = former.hear('over', former.said.length)
    await next.begin(how)
    await left
    takeovers.push({ from, to: performance.now() })
    await sleep(PAUSE)
  }
  return { takeovers, requests: await load.stop() }
}

const { takeovers, requests } = await onStage('', measure)
/** A request belongs to a takeover when any of its time does. */
const during = ({ at, took }) => takeovers.some(({ from, to }) => at < to && at + took > from)
const latencies = (some) => spread(some.map(({ took }) => took))
const lost = failed(requests).length
const busy = latencies(requests.filter(during))
const steady = latencies(requests.filter((request) => !during(request)))
const row = (name, { count, p50, p99, p999, worst }) => [name, count, p50, p99, p999, worst]
process.exitCode = report({
  json,
  title: `${rounds} takeovers in a row, ${mode}${abrupt ? ', abrupt (control)' : ''}, ${rate} requests/s: ${lost} of ${requests.length} failed ${lost > 0 ? JSON.stringify(countErrors(requests)) : ''}`,
  headings: ['latency, ms', 'requests', 'p50', 'p99', 'p99.9', 'worst'],
  rows: [row('during a takeover', busy), row('steady', steady)],
  figures: {
    rounds,
    mode,
    abrupt,
    requests: requests.length,
    failed: lost,
    errors: countErrors(requests),
    during: busy,
    steady,
  },
  faults: lost > 0 ? [`${lost} requests failed`] : [],
})
