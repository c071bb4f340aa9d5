// fd-broker upgrade, again and again, under connections to the worker and a client that acquires without a pause: what fails or is
// refused, and the longest that an acquire took.

import { setTimeout as sleep } from 'node:timers/promises'
import { readOptions } from '../handover/options.mjs'
import { report, spread } from '../handover/report.mjs'
import { connectionRows, faultsOf } from './connections.mjs'
import { underLoad } from './stage.mjs'

const options = readOptions({ rounds: 100, rate: 1000, pause: 500 })

const { result, connections } = await underLoad(options.rate, async (stage) => {
  const cookies = await stage.cookies()
  const acquires = { took: [], refused: {} }
  let over = false
  const acquiring = (async () => {
    while (!over) {
      const started = performance.now()
      await stage
        .ask(async (broker) => (await broker.acquire('spare', { ready: true })).release())
        .catch((error) => {
          acquires.refused[error.code] = (acquires.refused[error.code] ?? 0) + 1
        })
      acquires.took.push(performance.now() - started)
      await sleep(2)
    }
  })()
  const took = []
  const failures = []
  let same = 0
  for (let round = 0; round < options.rounds; round++) {
    const started = performance.now()
    await stage.ask((broker) => broker.upgrade()).catch((error) => failures.push(error.message))
    took.push(performance.now() - started)
    if ((await stage.cookies()) === cookies) same++
    await sleep(options.pause)
  }
  over = true
  await acquiring
  return { took: spread(took), same, failures, acquires: spread(acquires.took), refused: acquires.refused }
})

const { took, same, failures, acquires, refused } = result
const faults = faultsOf(connections)
if (same !== options.rounds) faults.push(`${options.rounds - same} of ${options.rounds} brokers had other sockets`)
for (const why of failures) faults.push(`an upgrade failed: ${why}`)
if (Object.keys(refused).length > 0) faults.push(`acquires were refused: ${JSON.stringify(refused)}`)
process.exitCode = report({
  json: options.json,
  title: `fd-broker upgrade x ${options.rounds}`,
  headings: ['', 'count', 'p50 ms', 'p99 ms', 'worst ms'],
  rows: [
    ['upgrade', took.count, took.p50, took.p99, took.worst],
    ['acquire meanwhile', acquires.count, acquires.p50, acquires.p99, acquires.worst],
    ...connectionRows(connections),
  ],
  figures: { took, same, acquires, refused, connections },
  faults,
})
