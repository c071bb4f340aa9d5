// What a grant costs, on one core, each beside the others in turn: a C client of our protocol and the SDK against our broker,
// s6-fdholderd with its own C library, and the least that passing a descriptor can cost.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CORE, output, pinned, until, withBench } from '../support/broker.mjs'
import { compile } from '../support/compile.mjs'
import { median, round } from '../support/table.mjs'

const SDK = join(import.meta.dirname, 'sdk.mjs')
const FORMS = ['live', 'connect']
const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]'

export async function run({ quick }) {
  const rounds = quick ? 1000 : 20_000
  const repeats = quick ? 1 : 5
  const [floor, client, s6] = [compile('floor'), compile('client'), compile('s6', ['-ls6', '-lskarnet'])]
  return await withBench(async (bench) => {
    // Above what one user may ask for in a second: who runs this as another than root is not measured against a quota.
    const broker = 'max_requests_per_uid = 1000000'
    await bench.serve({ sockets: WEB, broker, through: pinned() })
    const holder = s6 && (await startS6(bench))
    const ways = [
      ['C to C, the floor', (form) => [floor, rounds, form]],
      ...(holder ? [['s6-fdholderd, its C client', (form) => [s6, holder, rounds, form]]] : []),
      ['fd-broker, C client', (form) => [client, bench.control, rounds, form]],
      ['fd-broker, SDK', (form) => [process.execPath, SDK, bench.control, rounds, form]],
    ]
    const tables = []
    for (const form of FORMS) tables.push(tableOf(form, await measure(ways, form, repeats)))
    const notes = [
      `all on core ${CORE}; ${repeats} × ${rounds} round trips each, in turn; microseconds; the broker logs as it does by default`,
      ...(holder ? [] : ['without s6-fdholderd: install s6, libs6-dev and skalibs-dev']),
    ]
    return { title: 'Grant: what it costs to be given a socket', notes, tables }
  })
}

async function measure(ways, form, repeats) {
  const runs = new Map(ways.map(([what]) => [what, []]))
  for (let i = 0; i < repeats; i++) {
    for (const [what, argv] of ways) runs.get(what).push(JSON.parse(await output(pinned(...argv(form).map(String)))))
  }
  return [...runs].map(([what, results]) => ({
    what,
    p50: median(results.map(({ p50 }) => p50)),
    p99: median(results.map(({ p99 }) => p99)),
    rate: median(results.map(({ rate }) => rate)),
  }))
}

function tableOf(form, results) {
  const floor = results[0].p50
  const s6 = results.find(({ what }) => what.startsWith('s6'))?.p50
  return {
    heading: form === 'live' ? 'acquire on a live connection' : 'connect, hello, acquire, close',
    columns: ['', 'p50', 'p99', 'a second', '× floor', '× s6'],
    rows: results.map(({ what, p50, p99, rate }) => [
      what,
      p50,
      p99,
      rate,
      round(p50 / floor),
      s6 ? round(p50 / s6) : null,
    ]),
  }
}

/** Rules that let this user store and retrieve anything. */
async function startS6(bench) {
  const rules = join(bench.directory, 'rules')
  const user = join(rules, 'uid', String(process.getuid()))
  mkdirSync(join(user, 'env'), { recursive: true })
  writeFileSync(join(user, 'allow'), '')
  for (const right of ['STORE', 'RETRIEVE']) writeFileSync(join(user, 'env', `S6_FDHOLDER_${right}_REGEX`), '.*')
  const socket = join(bench.directory, 's6.sock')
  bench.start(pinned('s6-fdholder-daemon', '-n', '4000', '-c', '200', '-i', rules, socket))
  await until(() => existsSync(socket))
  return socket
}
