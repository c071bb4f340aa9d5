// node bench/handover/newcomers.mjs [--rounds 5] [--rate 500] [--json]: new versions that fail. They crash before they are ready,
// hang until ready_timeout, or are killed between ready and promotion (quorum 2). The old version serves on: no request may
// fail, and a `rollback` event says why. In the last row the killed one had begun to accept, and takes along what it accepted.

import { setTimeout as sleep } from 'node:timers/promises'
import { countErrors, failed, startLoad } from './load.mjs'
import { readOptions } from './options.mjs'
import { report } from './report.mjs'
import { onStage, until } from './stage.mjs'

const { rounds, rate, json } = readOptions({ rounds: 5, rate: 500 })
const READY_TIMEOUT = 2000

const WAYS = {
  'crashes before ready': { ready: 'crash', why: 'died' },
  'hangs before ready': { ready: 'never', why: 'expired' },
  'killed when ready': { ready: 'unheard', why: 'died' },
  'killed as it serves': { why: 'died', takesAlong: true },
}

async function measure(stage) {
  for (const old of [stage.startWorker(), stage.startWorker()]) {
    old.serve({ generation: 'old' })
    await old.hear('granted')
  }
  await until(() => stage.events.some(({ event, generation }) => event === 'promoted' && generation === 'old'))
  const load = startLoad(stage.port, rate)
  await sleep(500)
  const results = {}
  let number = 0
  for (const [name, way] of Object.entries(WAYS)) {
    const from = performance.now()
    const rollbacks = []
    for (let round = 0; round < rounds; round++) rollbacks.push(await fail(stage, way, `new${++number}`))
    await sleep(200)
    results[name] = { from, to: performance.now(), rollbacks }
  }
  const [{ generation, holders }] = await stage.broker.list()
  return { results, generation, holders, requests: await load.stop() }
}

/** Starts one of the two that the quorum asks for, lets it fail, and returns the rollback event, if one came. */
async function fail(stage, { ready }, generation) {
  const worker = stage.startWorker()
  worker.serve({ generation, ready })
  await worker.hear('granted')
  if (ready === 'unheard') worker.tell('ready')
  if (ready === undefined || ready === 'unheard') {
    await worker.hear('serving')
    await sleep(50)
    worker.kill()
  }
  const rollback = () => stage.events.find((each) => each.event === 'rollback' && each.generation === generation)
  await until(rollback, READY_TIMEOUT + 5000)
  await worker.end()
  return rollback()
}

const { results, generation, holders, requests } = await onStage(
  `quorum = 2\nready_timeout = "${READY_TIMEOUT}ms"`,
  measure,
)
const faults = []
if (generation !== 'old' || holders.ready !== 2) faults.push(`${generation} is current, with ${holders.ready} ready`)
const rows = []
const figures = {}
for (const [name, { from, to, rollbacks }] of Object.entries(results)) {
  const { why, takesAlong } = WAYS[name]
  const some = requests.filter(({ at }) => at >= from && at < to)
  const lost = failed(some).length
  const refused = countErrors(some).ECONNREFUSED ?? 0
  const told = rollbacks.filter((event) => event?.reason === 'empty' && event.ended === why).length
  if (told < rounds) faults.push(`${name}: ${told} of ${rounds} rollback events say ${why}`)
  if (refused > 0 || (lost > 0 && !takesAlong))
    faults.push(`${name}: ${lost} requests failed, ${refused} of them refused`)
  rows.push([name, rollbacks.length, told, why, some.length, refused, lost])
  figures[name] = { rollbacks: told, requests: some.length, refused, failed: lost }
}
process.exitCode = report({
  json,
  title: `new versions that fail, ${rate} requests/s; current is ${generation}`,
  headings: ['the newcomer', 'times', 'rollbacks', 'ended', 'requests', 'refused', 'failed'],
  rows,
  figures: { rounds, generation, ways: figures },
  faults,
})
