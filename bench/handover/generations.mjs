// node bench/handover/generations.mjs [--rounds 10] [--workers 4] [--rate 100] [--seed 1] [--json]: generations one after another,
// promoted when all their workers are ready. Some workers are slow to drain, some are killed: before they are ready, while they
// serve, while they drain. After every step `holders` and `list` must show what an outside journal says. When a generation is
// superseded, its supervisor starts a worker with the old label: it must be refused, and the new generation stay.

import { Journal } from './journal.mjs'
import { failed, startLoad } from './load.mjs'
import { randomFrom, readOptions } from './options.mjs'
import { report } from './report.mjs'
import { onStage } from './stage.mjs'

const { rounds, workers: count, rate, seed, json } = readOptions({ rounds: 10, workers: 4, rate: 100 })
const random = randomFrom(seed)
/** How long a death may take to reach the broker. */
const GRACE = 5000
const tally = { killed: 0, slow: 0, refused: 0, accepted: 0 }

async function measure(stage) {
  const journal = new Journal(stage)
  /** Of former generations, still draining. */
  let leaving = []
  let former = { label: 'g1', serving: [] }
  let load
  for (let round = 1; round <= rounds; round++) {
    const label = `r${round}`
    const serving = await open(stage, journal, label, former.label)
    await promote(journal, serving, former, label)
    load ??= startLoad(stage.port, rate)
    leaving.push(...former.serving)
    await startOld(stage, journal, former.label, label)
    leaving = await leave(journal, leaving, label)
    await replaceOne(stage, journal, serving, label)
    former = { label, serving }
  }
  return { journal, requests: (await load?.stop()) ?? [] }
}

/** Workers of a new generation; now and then one is killed before it is ready, and started again. */
async function open(stage, journal, label, current) {
  const workers = []
  while (workers.length < count) {
    const worker = await join(stage, journal, label)
    await journal.compare(`a worker of ${label} is granted`, current)
    if (workers.length > 0 && random() < 0.2) await kill(journal, worker, label, current)
    else workers.push(worker)
  }
  return workers
}

async function join(stage, journal, generation) {
  const worker = stage.startWorker()
  const slow = random() < 0.5
  if (slow) tally.slow++
  worker.serve({ generation, ready: 'told', leave: 'told' })
  const granted = await worker.hear('granted')
  worker.lease = granted.lease
  worker.slow = slow
  journal.granted(worker, granted)
  return worker
}

async function promote(journal, workers, former, label) {
  for (const [at, worker] of workers.entries()) {
    await becomeReady(journal, worker)
    const last = at === workers.length - 1
    if (last) journal.drains(journal.others(label))
    await journal.compare(`${at + 1} of ${workers.length} of ${label} are ready`, last ? label : former.label)
  }
  await Promise.all(former.serving.map((worker) => worker.hear('drain')))
}

async function becomeReady(journal, worker) {
  worker.tell('ready')
  await worker.hear('serving')
  journal.becomes(worker.lease, 'ready')
}

/** Those who are quick give back now, those who are slow a generation later, and now and then one is killed while it drains. */
async function leave(journal, leaving, current) {
  const stay = []
  for (const worker of leaving) {
    if (random() < 0.15) await kill(journal, worker, 'draining', current)
    else if (worker.slow) stay.push(Object.assign(worker, { slow: false }))
    else {
      worker.tell('leave')
      await worker.hear('over')
      journal.gone(worker.lease)
      await worker.end()
      await journal.compare('a drained worker gave back', current)
    }
  }
  return stay
}

/** One of those who serve is killed; its supervisor starts another of the same label. */
async function replaceOne(stage, journal, serving, label) {
  const at = Math.floor(random() * serving.length)
  await kill(journal, serving[at], 'serving', label)
  serving[at] = await join(stage, journal, label)
  await journal.compare(`a worker of ${label} starts again`, label)
  await becomeReady(journal, serving[at])
  await journal.compare(`the worker of ${label} is ready again`, label)
}

async function kill(journal, worker, what, current) {
  tally.killed++
  worker.kill()
  await worker.exited
  journal.gone(worker.lease)
  await journal.compare(`a worker was killed (${what})`, current, GRACE)
}

async function startOld(stage, journal, old, current) {
  const worker = stage.startWorker()
  worker.serve({ generation: old, wait: 0 })
  const code = await worker.hear('granted').then(
    () => 'granted',
    (error) => error.code,
  )
  tally[code === 'ENDED' ? 'refused' : 'accepted']++
  await worker.end()
  await journal.compare(`a worker of superseded ${old} was refused`, current)
}

const { journal, requests } = await onStage(`quorum = ${count}`, measure)
const refused = failed(requests).filter(({ error }) => error === 'ECONNREFUSED').length
const lost = failed(requests).length - refused
const faults = [...journal.differences]
if (refused > 0) faults.push(`${refused} connections were refused`)
if (tally.accepted > 0) faults.push(`${tally.accepted} workers of an old release were accepted`)
const { steps, slowest, differences } = journal
process.exitCode = report({
  json,
  title: `${rounds} generations of ${count} workers (seed ${seed}), holders compared with an outside journal`,
  headings: [
    'looks',
    'differed',
    'killed',
    'slow to drain',
    'old label refused',
    'longest for a death, ms',
    'requests',
    'refused',
    'lost',
  ],
  rows: [[steps, differences.length, tally.killed, tally.slow, tally.refused, slowest, requests.length, refused, lost]],
  figures: {
    steps,
    differences: differences.length,
    ...tally,
    requests: requests.length,
    refusedConnections: refused,
    lost,
  },
  faults,
})
