// SIGSTOP of the broker: the workers' clients must not notice; who asks the broker waits, and is answered when it goes on.

import { setTimeout as sleep } from 'node:timers/promises'
import { readOptions } from '../handover/options.mjs'
import { report } from '../handover/report.mjs'
import { connectionRows, faultsOf } from './connections.mjs'
import { underLoad } from './stage.mjs'

const options = readOptions({ seconds: 10, rate: 1000 })

const { result, connections } = await underLoad(options.rate, async (stage) => {
  const { brokerPid } = stage
  process.kill(brokerPid, 'SIGSTOP')
  const asked = performance.now()
  const acquire = stage.ask(async (broker) => (await broker.acquire('spare', { ready: true })).release())
  await sleep(options.seconds * 1000)
  process.kill(brokerPid, 'SIGCONT')
  const answered = await acquire.then(
    () => true,
    (error) => error.message,
  )
  return { answered, waited: performance.now() - asked }
})

const faults = faultsOf(connections)
if (result.answered !== true) faults.push(`the acquire failed: ${result.answered}`)
process.exitCode = report({
  json: options.json,
  title: `broker stopped for ${options.seconds} s`,
  headings: ['', 'count', 'p50 ms', 'p99 ms', 'worst ms'],
  rows: [['acquire meanwhile', 1, '', '', result.waited], ...connectionRows(connections)],
  figures: { ...result, connections },
  faults,
})
