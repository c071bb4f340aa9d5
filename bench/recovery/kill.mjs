// kill -9 of the broker, again and again, under connections to the worker: how many fail, and when the control plane is back.

import { setTimeout as sleep } from 'node:timers/promises'
import { readOptions } from '../handover/options.mjs'
import { report, spread } from '../handover/report.mjs'
import { connectionRows, faultsOf } from './connections.mjs'
import { underLoad } from './stage.mjs'

/** So far apart that the keeper sees no crash loop in them. */
const options = readOptions({ rounds: 100, rate: 1000, pause: 2600 })

const { result, connections } = await underLoad(options.rate, async (stage) => {
  const cookies = await stage.cookies()
  const back = []
  let same = 0
  for (let round = 0; round < options.rounds; round++) {
    const killed = performance.now()
    process.kill(stage.brokerPid, 'SIGKILL')
    if ((await stage.cookies()) === cookies) same++
    back.push(performance.now() - killed)
    await sleep(Math.max(0, options.pause - back.at(-1)))
  }
  return { back: spread(back), same, keeperKilobytes: stage.keeperKilobytes }
})

const { back, same, keeperKilobytes } = result
const faults = faultsOf(connections)
if (same !== options.rounds) faults.push(`${options.rounds - same} of ${options.rounds} brokers had other sockets`)
process.exitCode = report({
  json: options.json,
  title: `kill -9 of the broker x ${options.rounds}`,
  headings: ['', 'count', 'p50 ms', 'p99 ms', 'worst ms'],
  rows: [['control plane back', back.count, back.p50, back.p99, back.worst], ...connectionRows(connections)],
  figures: { back, same, keeperKilobytes, connections },
  faults,
})
