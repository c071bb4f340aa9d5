// node bench/handover/standby.mjs [--rounds 200] [--rate 200] [--json]: kill -9 of the holder of an exclusive name. With a standby
// in the line, until it holds the descriptor; without one, until a worker that is started at once holds it. Both are told on
// CLOCK_MONOTONIC by the process that kills and the process that receives. A witness, which does nothing else, tells when the
// kernel had ended the process: before that no broker can know. The port must not refuse one connection.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { failed, startLoad } from './load.mjs'
import { readOptions } from './options.mjs'
import { report, spread } from './report.mjs'
import { onStage, until } from './stage.mjs'

const { rounds, rate, json } = readOptions({ rounds: 200, rate: 200 })

const milliseconds = (from, to) => Number(BigInt(to) - BigInt(from)) / 1e6

/** Both ways in turn, so that both meet the same machine. */
async function measure(stage) {
  const gaps = { standby: [], restart: [], kernel: [], broker: [] }
  const witness = stage.startWorker()
  let holder = stage.startWorker()
  await holder.begin()
  const load = startLoad(stage.port, rate)
  for (let round = 0; round < rounds * 2; round++) {
    const way = round % 2 === 0 ? 'standby' : 'restart'
    const standby = way === 'standby' ? await waitInLine(stage) : undefined
    const { ended } = await watch(witness, holder.pid)
    await sleep(200)
    const killed = holder.kill()
    if (!standby) await holder.exited
    const next = standby ?? stage.startWorker()
    if (!standby) next.serve()
    const granted = await next.hear('granted')
    gaps[way].push(milliseconds(killed, granted.at))
    const end = await ended
    gaps.kernel.push(milliseconds(killed, end.at))
    if (standby) gaps.broker.push(milliseconds(end.at, granted.at))
    await next.hear('serving')
    holder = next
  }
  return { gaps, requests: await load.stop() }
}

async function waitInLine(stage) {
  const standby = stage.startWorker()
  await standby.hear('started')
  standby.serve({ wait: -1 })
  await until(async () => (await stage.broker.list())[0].waiting === 1)
  return standby
}

/** Resolves, when the witness watches, with a promise of the end. */
async function watch(witness, pid) {
  const from = witness.said.length
  witness.tell('watch', { pid })
  await witness.hear('watching', from)
  return { ended: witness.hear('ended', from) }
}

/** The same between two small processes in Python, whose end costs the kernel little. */
async function measureSmall({ control }) {
  const script = join(import.meta.dirname, 'standby_small.py')
  const { stdout } = await promisify(execFile)('python3', [script, control, String(rounds)])
  return JSON.parse(stdout)
}

const { gaps, requests } = await onStage('mode = "exclusive"', measure)
gaps.small = await onStage('mode = "exclusive"', measureSmall)
const refused = failed(requests).filter(({ error }) => error === 'ECONNREFUSED').length
const lost = failed(requests).length - refused
const spreads = Object.fromEntries(Object.entries(gaps).map(([what, values]) => [what, spread(values)]))
const faults = []
if (refused > 0) faults.push(`${refused} connections were refused`)
if (spreads.standby.p50 >= spreads.restart.p50) faults.push('a standby is no faster than a restart')
const row = (name, { count, p50, p99, worst }) => [name, count, p50, p99, worst]
process.exitCode = report({
  json,
  title: `kill -9 of an exclusive holder; of ${requests.length} requests ${refused} refused, ${lost} lost with their worker`,
  headings: ['ms, from .. to', 'rounds', 'p50', 'p99', 'worst'],
  rows: [
    row('kill .. a standby holds the fd', spreads.standby),
    row('  kill .. the kernel has ended the process', spreads.kernel),
    row('  ended .. a standby holds the fd', spreads.broker),
    row('kill .. a worker started anew holds the fd', spreads.restart),
    row('kill .. a standby holds the fd, small processes', spreads.small),
  ],
  figures: { rounds, requests: requests.length, refused, lost, ...spreads },
  faults,
})
