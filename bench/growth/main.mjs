// What names and leases cost: the same grant beside few and beside many of them, memory, start and `list`.
//
// The brokers that are compared all run, and are measured in turn, so that what the machine does besides meets all of them; those whose
// turn it is not are stopped (SIGSTOP), as their own work once a second would be measured with the others'.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../dist/client/index.js'
import { NAMES_MAX } from '../../dist/daemon/config/limits.js'
import { CORE, output, pinned, rss, withBench } from '../support/broker.mjs'
import { compile } from '../support/compile.mjs'
import { median, round } from '../support/table.mjs'

const MANY = 1_000_000
const LIMITS = `max_requests_per_uid = ${MANY}`
const LIST_TIMEOUT_MS = 60_000
/** After a stop: what a broker is late with by then is done first. */
const SETTLE_MS = 200

/** Below those that the kernel chooses for clients. */
const FIRST_PORT = 20_000

/**
 * Ten thousand ports would be a tenth of the host's: here they are 256, on as many loopback addresses as are needed; or abstract Unix
 * sockets. A TCP name takes two descriptors, for its anchor (docs/guard.md).
 */
const KINDS = {
  tcp: { listen: (i, key) => `tcp://127.${key}.0.${(i >> 8) + 1}:${FIRST_PORT + (i & 255)}`, descriptors: 2 },
  unix: { listen: (i, key) => `unix://@fd-broker-bench-${process.pid}-${key}-${i}`, descriptors: 1 },
}
/** What a broker has open besides. */
const SPARE_DESCRIPTORS = 400

const namesOf = (count, kind, key) =>
  Array.from({ length: count }, (_, i) => {
    const listen = KINDS[kind].listen(i, key)
    return `[sockets.web${i || ''}]\nlisten = "${listen}"\nallow = ["any"]\nmax_holders = ${MANY}\n`
  }).join('')

export async function run({ quick }) {
  const options = { client: compile('client'), rounds: quick ? 500 : 2000, repeats: quick ? 1 : 9 }
  const { rounds, repeats } = options
  const tables = []
  for (const kind of Object.keys(KINDS))
    tables.push(await measureNames(kind, [1, 100, quick ? 1000 : most(kind)], options))
  tables.push(await measureLeases([0, 500, quick ? 1000 : 5000], options))
  const notes = [
    `the C client of the grant's measurement, all on core ${CORE}; ${repeats} × ${rounds} round trips each, in turn; µs, ms and KiB`,
    '× first: the median of the ratios within a turn',
  ]
  return { title: 'Growth: the same with few and with many', notes, tables }
}

/** Ten thousand, or as many as the configuration and the limit of descriptors have room for. */
function most(kind) {
  const [, limit] = /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  return Math.min(10_000, NAMES_MAX, Math.floor((Number(limit) - SPARE_DESCRIPTORS) / KINDS[kind].descriptors))
}

async function measureNames(kind, counts, options) {
  const figures = await withAll(counts, options, async (bench, count) => {
    const { child, started } = await bench.serve({
      sockets: namesOf(count, kind, counts.indexOf(count) + 1),
      broker: LIMITS,
      through: pinned(),
    })
    return { child, started, memory: rss(child.pid), list: await listTime(bench) }
  })
  const [first] = figures
  return {
    heading: `names, ${kind}`,
    columns: ['names', 'acquire p50', '× first', 'start, ms', 'RSS', 'RSS a name', 'list, ms'],
    rows: figures.map(({ count, p50, ratio, started, memory, list }) => [
      count,
      p50,
      ratio,
      round(started, 0),
      memory,
      count === first.count ? null : round((memory - first.memory) / (count - first.count)),
      round(list, 1),
    ]),
  }
}

async function measureLeases(counts, options) {
  const figures = await withAll(counts, options, async (bench, count) => {
    const sockets = namesOf(1, 'unix', count)
    const { child } = await bench.serve({ sockets, broker: LIMITS, through: pinned() })
    if (count > 0) await holdLeases(bench, options.client, count)
    return { child, memory: rss(child.pid) }
  })
  const [first] = figures
  return {
    heading: 'live leases of one name',
    columns: ['leases', 'acquire p50', '× first', 'RSS', 'RSS a lease'],
    rows: figures.map(({ count, p50, ratio, memory }) => [
      count,
      p50,
      ratio,
      memory,
      count === 0 ? null : round((memory - first.memory) / count),
    ]),
  }
}

/** What `prepare` says of each count, with the median and the ratio to the first of the grants, measured in turn. */
async function withAll(counts, options, prepare) {
  const stages = []
  const open = async ([count, ...rest]) => {
    if (count === undefined) return await measureInTurn(stages, options)
    return await withBench(async (bench) => {
      const stage = { count, bench, p50s: [], ...(await prepare(bench, count)) }
      stages.push(stage)
      stage.child.kill('SIGSTOP')
      return await open(rest)
    })
  }
  return await open(counts)
}

async function measureInTurn(stages, { client, rounds, repeats }) {
  for (let i = 0; i < repeats; i++) {
    for (const { bench, child, p50s } of i % 2 ? stages.toReversed() : stages) {
      child.kill('SIGCONT')
      await sleep(SETTLE_MS)
      p50s.push(JSON.parse(await output(pinned(client, bench.control, String(rounds), 'live'))).p50)
      child.kill('SIGSTOP')
    }
  }
  const [first] = stages
  return stages.map(({ bench, ...stage }) => ({
    ...stage,
    p50: median(stage.p50s),
    ratio: round(median(stage.p50s.map((p50, i) => p50 / first.p50s[i]))),
  }))
}

async function holdLeases(bench, client, count) {
  const holder = bench.start([client, bench.control, String(count), 'hold'], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
}

/** The SDK's, which takes the answer's parts together. */
async function listTime({ control }) {
  const broker = connect({ socket: control, timeout: LIST_TIMEOUT_MS })
  const took = []
  for (let i = 0; i < 3; i++) {
    const from = performance.now()
    await broker.list()
    took.push(performance.now() - from)
  }
  await broker.close()
  return median(took)
}
