// node bench/handover/pause.mjs [--seconds 5] [--rate 500] [--workers 2] [--json]: `fd-broker pause web --drain` under load, and
// after a while `fd-broker resume web`. The workers finish, release and wait in the line. Every request is answered, those of
// the pause late; none fails.

import { setTimeout as sleep } from 'node:timers/promises'
import { countErrors, failed, startLoad } from './load.mjs'
import { readOptions } from './options.mjs'
import { report, spread } from './report.mjs'
import { onStage, until } from './stage.mjs'

const { seconds, rate, workers: count, json } = readOptions({ seconds: 5, rate: 500, workers: 2 })

async function measure(stage) {
  const workers = Array.from({ length: count }, () => stage.startWorker())
  for (const worker of workers) await worker.begin({ again: true, drainTimeout: 4000 })
  const load = startLoad(stage.port, rate)
  await sleep(1000)
  const left = workers.map((worker) => worker.hear('over', worker.said.length))
  await stage.command('pause', 'web', '--drain')
  await Promise.all(left)
  const from = performance.now()
  await sleep(seconds * 1000)
  const [paused] = JSON.parse(await stage.command('list', '--json')).sockets
  const to = performance.now()
  await stage.command('resume', 'web')
  const drained = await until(() => load.pending() < rate / 10)
  const caughtUp = performance.now() - to
  await sleep(1000)
  return { from, to, caughtUp: drained ? caughtUp : null, paused, requests: await load.stop() }
}

const { from, to, caughtUp, paused, requests } = await onStage('backlog = 4096', measure)
const before = requests.filter(({ at, took }) => at + took < from)
const queued = requests.filter(({ at }) => at >= from && at < to)
const after = requests.filter(({ at }) => at >= to)
const answeredMeanwhile = queued.filter(({ at, took }) => at + took < to).length
const lost = failed(requests).length
const [{ queue, limit, drops }] = paused.sockets
const faults = []
if (lost > 0) faults.push(`${lost} requests failed: ${JSON.stringify(countErrors(requests))}`)
if (answeredMeanwhile > 0) faults.push(`${answeredMeanwhile} requests were answered while nobody should serve`)
if (queued.length < (seconds * rate) / 2) faults.push(`only ${queued.length} requests came during the pause`)
const row = (name, some) => {
  const { count: all, p50, p99, worst } = spread(some.map(({ took }) => took))
  return [name, all, failed(some).length, p50, p99, worst]
}
process.exitCode = report({
  json,
  title: `${seconds} s of pause --drain at ${rate} requests/s: ${lost} of ${requests.length} failed; ${queue} waited of ${limit}, ${drops} dropped; all answered ${Math.round(caughtUp)} ms after resume`,
  headings: ['latency, ms', 'requests', 'failed', 'p50', 'p99', 'worst'],
  rows: [row('before', before), row('asked during the pause', queued), row('asked after resume', after)],
  figures: {
    seconds,
    requests: requests.length,
    failed: lost,
    queued: queued.length,
    answeredMeanwhile,
    queue,
    limit,
    drops,
    caughtUp,
    state: paused.state,
  },
  faults,
})
