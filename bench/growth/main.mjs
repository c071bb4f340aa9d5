// What names and leases cost: the same grant beside few and beside many of them, memory, start and `list`.

import { once } from 'node:events'
import { connect } from '../../dist/client/index.js'
import { output, pinned, rss, withBench } from '../support/broker.mjs'
import { compile } from '../support/compile.mjs'
import { median, round } from '../support/table.mjs'

const MANY = 1_000_000
const LIMITS = `max_requests_per_uid = ${MANY}`

/** Abstract Unix sockets: ten thousand ports would take a tenth of the host's. */
const namesOf = (count, key) =>
  Array.from({ length: count }, (_, i) => {
    const name = i === 0 ? 'web' : `web${i}`
    return `[sockets.${name}]\nlisten = "unix://@fd-broker-bench-${process.pid}-${key}-${i}"\nallow = ["any"]\nmax_holders = ${MANY}\n`
  }).join('')

export async function run({ quick }) {
  const client = compile('client')
  const rounds = quick ? 500 : 5000
  const repeats = quick ? 1 : 5
  const names = await measureNames(client, [1, 100, quick ? 1000 : 10_000], { rounds, repeats })
  const leases = await measureLeases(client, [0, 500, quick ? 1000 : 5000], { rounds, repeats })
  const notes = [
    `the C client of the grant's measurement, on one core; ${repeats} × ${rounds} round trips; µs, ms and KiB`,
  ]
  return { title: 'Growth: the same with few and with many', notes, tables: [names, leases] }
}

async function grant(client, bench, { rounds, repeats }) {
  const runs = []
  for (let i = 0; i < repeats; i++) {
    runs.push(JSON.parse(await output(pinned(client, bench.control, String(rounds), 'live'))).p50)
  }
  return median(runs)
}

/** The SDK's, which takes the answer's parts together. */
async function listTime({ control }) {
  const broker = connect({ socket: control })
  const took = []
  for (let i = 0; i < 5; i++) {
    const from = performance.now()
    await broker.list()
    took.push(performance.now() - from)
  }
  await broker.close()
  return median(took)
}

async function measureNames(client, counts, options) {
  const figures = []
  for (const count of counts) {
    const figure = await withBench(async (bench) => {
      const through = pinned('prlimit', `--nofile=${8 * count + 4096}`)
      const { child, started } = await bench.serve({ sockets: namesOf(count, count), broker: LIMITS, through })
      return {
        count,
        p50: await grant(client, bench, options),
        started,
        memory: rss(child.pid),
        list: await listTime(bench),
      }
    })
    figures.push(figure)
  }
  const [first] = figures
  return {
    heading: 'names',
    columns: ['names', 'acquire p50', '× first', 'start, ms', 'RSS', 'RSS a name', 'list, ms'],
    rows: figures.map(({ count, p50, started, memory, list }) => [
      count,
      p50,
      round(p50 / first.p50),
      round(started, 0),
      memory,
      count === first.count ? null : round((memory - first.memory) / (count - first.count)),
      round(list, 1),
    ]),
  }
}

async function measureLeases(client, counts, options) {
  const figures = []
  for (const count of counts) {
    const figure = await withBench(async (bench) => {
      const { child } = await bench.serve({ sockets: namesOf(1, `leases-${count}`), broker: LIMITS, through: pinned() })
      if (count > 0) {
        const holder = bench.start([client, bench.control, String(count), 'hold'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        await once(holder.stdout, 'data')
      }
      const memory = rss(child.pid)
      return { count, memory, p50: await grant(client, bench, options) }
    })
    figures.push(figure)
  }
  const [first] = figures
  return {
    heading: 'live leases of one name',
    columns: ['leases', 'acquire p50', '× first', 'RSS', 'RSS a lease'],
    rows: figures.map(({ count, p50, memory }) => [
      count,
      p50,
      round(p50 / first.p50),
      memory,
      count === 0 ? null : round((memory - first.memory) / count),
    ]),
  }
}
