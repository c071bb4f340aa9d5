// npm run soak -- --minutes N --seed S [--rate R] [--patience SECONDS] [--worker FILE] [--json]: a broker under its keeper, workers, a
// steady load of new connections, and at random (but the same for the same seed) takeovers, stops, kills of workers and of the broker,
// freezes and floods. Ends with one table. Exits 1 when a connection failed that no killed worker had accepted, or when a worker did
// not come. As soon as most requests fail it keeps what explains that in a directory, and names it (evidence.mjs).

import { setTimeout as sleep } from 'node:timers/promises'
import { failed, startLoad } from '../handover/load.mjs'
import { randomFrom, readOptions } from '../handover/options.mjs'
import { choose, EVENTS } from './chaos.mjs'
import { Evidence } from './evidence.mjs'
import { percentile, Samples } from './samples.mjs'
import { Stage } from './stage.mjs'

const { minutes, seed, rate, patience, json, worker } = readOptions(
  { minutes: 1, rate: 100, patience: 60 },
  { worker: { type: 'string' } },
)
const random = randomFrom(seed)
const stage = new Stage(worker)
const samples = new Samples()
const figures = { events: {}, kills: [], history: [] }
let over = false

process.once('SIGINT', () => stage.close().then(() => process.exit(130)))

async function watch() {
  while (!over) {
    const asked = performance.now()
    const { pid } = await stage.client.stats()
    samples.add(pid, performance.now() - asked)
    await sleep(100)
  }
}

async function disturb() {
  while (!over) {
    const name = choose(random)
    figures.events[name] = (figures.events[name] ?? 0) + 1
    figures.history.push({ at: performance.now(), name })
    await EVENTS[name].run(stage, random, figures)
    await sleep(random() * 1000)
  }
}

/** What a killed worker had accepted ends with it: no broker can change that. */
const CUT_WITHIN_MS = 3000
const cutByKill = ({ at, took }) =>
  figures.kills.some((kill) => kill >= at - 1 && kill <= at + took + 1 && at + took - kill < CUT_WITHIN_MS)

/** More are alike. */
const DESCRIBED = 5

/** What failed, when, and during which of the events. */
function described({ error, at, took }) {
  const during = figures.history.filter((event) => event.at <= at + took).at(-1)?.name ?? 'nothing'
  return `${error} at ${(at / 1000).toFixed(1)} s after ${took.toFixed(0)} ms, during: ${during}`
}

try {
  await stage.open()
  for (const _ of ['one that serves', 'one to spare'])
    if (!(await stage.startWorker())) throw new Error(stage.missing[0].why)
  const load = startLoad(stage.port, rate, 'new connections', patience * 1000)
  const evidence = new Evidence(stage, load, rate)
  const running = [watch(), disturb()]
  await sleep(minutes * 60_000)
  over = true
  await Promise.all(running)
  const requests = await load.stop()
  evidence.end()
  const errors = failed(requests)
  const cut = errors.filter((request) => request.error !== 'ECONNREFUSED' && cutByKill(request))
  const round = (value) => (value === null ? null : Math.round(value * 100) / 100)
  const result = {
    minutes,
    seed,
    connections: requests.length,
    failed: errors.length - cut.length,
    errors: errors
      .filter((request) => !cut.includes(request))
      .slice(0, DESCRIBED)
      .map(described),
    cutByKilledWorkers: cut.length,
    missingWorkers: stage.missing.map(({ at, why }) => `${why} at ${(at / 1000).toFixed(1)} s`).slice(0, DESCRIBED),
    evidence: evidence.directory,
    slowestMs: round(Math.max(...requests.map(({ took }) => took))),
    events: figures.events,
    brokers: samples.brokers,
    answerP50Ms: round(percentile(samples.answers, 0.5)),
    answerP99Ms: round(percentile(samples.answers, 0.99)),
    rssKiB: samples.last('rss'),
    rssKiBPerMinute: round(samples.slope('rss')),
    fds: samples.last('fds'),
    fdsPerMinute: round(samples.slope('fds')),
  }
  if (json) console.log(JSON.stringify(result))
  else
    console.table(
      Object.fromEntries(
        Object.entries(result).map(([key, value]) => [key, typeof value === 'object' ? JSON.stringify(value) : value]),
      ),
    )
  process.exitCode = result.failed > 0 || stage.missing.length > 0 ? 1 : 0
} finally {
  over = true
  await stage.close()
}
