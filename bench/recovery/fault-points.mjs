// Kills the broker with SIGKILL at each write of its state, and at each message and descriptor that it hands on, one at a time, while
// clients acquire, take over and wait; then compares what the next broker says with what the clients were told.
// A fault point is the n-th pwrite64(2), or the n-th sendmsg(2), of the broker since the clients began: strace(1) kills before the call.
// What is handed to the keeper is a sendmsg(2) too. There are three stories: `leases` of the SDK, `programs` with process-bound ones, and
// `restart`, where the points are those of the next broker, from its start.
// usage: node bench/recovery/fault-points.mjs [--story leases|programs|restart] [--call pwrite64|sendmsg] [--from N] [--to N] [--every N]
// (--to: as far as the clients go)

import { parseArgs } from 'node:util'
import { runFaultPoint } from './fault-point.mjs'

const text = { type: 'string' }
const { values } = parseArgs({ options: { story: text, call: text, from: text, to: text, every: text } })
const [from, to, every] = [values.from ?? 1, values.to ?? Number.POSITIVE_INFINITY, values.every ?? 1].map(Number)
const faults = []
let visited = 0
const stories = values.story === undefined ? ['leases', 'programs', 'restart'] : [values.story]
const calls = values.call === undefined ? ['pwrite64', 'sendmsg'] : [values.call]
for (const [story, call] of stories.flatMap((each) => calls.map((one) => [each, one]))) {
  let point = from
  for (; point <= to; point += every) {
    const result = await runFaultPoint(call, point, story)
    faults.push(...result.faults.map((fault) => `${story} ${call} ${point}: ${fault}`))
    if (result.killedAt === undefined) break
    visited++
    console.log(`${story} ${call} ${point}: ${result.faults.length === 0 ? 'ok' : 'FAULT'} ${result.killedAt}`)
  }
  if (point <= to) console.log(`${story} ${call}: the clients were done before call ${point}, so all were visited`)
}
for (const fault of faults) console.log(fault)
console.log(
  `${visited} fault points: ${faults.length === 0 ? '0 leases lost, 0 invented, 0 names blocked' : `${faults.length} faults`}`,
)
process.exitCode = faults.length === 0 && visited > 0 ? 0 : 1
