// One fault point: a broker under its keeper, clients that do a hand-over of an exclusive name with a held `ready` and a waiter beside
// a release of a shared one, a kill somewhere in it, and the comparison of the journal of answers with `holders`.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../dist/client/index.js'

const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const PATIENCE = 20_000
const CONFIG = `[broker]
control = "{dir}/control.sock"
reclaim_timeout = "5s"
[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]
allow = ["any"]
drain_timeout = "20s"
[sockets.only]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
mode = "exclusive"
drain_timeout = "20s"
`

/** `killedAt`: the call with its first bytes; undefined when the clients were done before. */
export async function runFaultPoint(call, point) {
  const directory = mkdtempSync(join(tmpdir(), 'fd-broker-fault-'))
  const file = join(directory, 'broker.toml')
  writeFileSync(file, CONFIG.replaceAll('{dir}', directory))
  const keeper = spawn(process.execPath, [CLI, 'serve', '--config', file], { stdio: 'ignore' })
  const admin = connect({ socket: join(directory, 'control.sock'), timeout: 30_000 })
  const clients = []
  const client = () => {
    const one = connect({ socket: join(directory, 'control.sock'), timeout: 30_000 })
    clients.push(one)
    return one
  }
  let tracer
  try {
    const { pid } = await admin.stats()
    const cookies = await cookiesOf(admin)
    tracer = await trace(pid, call, point)
    const faults = await within(story(client, admin), PATIENCE, 'the clients were not done: a name is blocked')
    if ((await cookiesOf(admin)) !== cookies) faults.push('the sockets are others')
    return { faults, killedAt: tracer.killedAt() }
  } finally {
    tracer?.stop()
    for (const one of [...clients, admin]) await one.close()
    await end(keeper)
    rmSync(directory, { recursive: true, force: true })
  }
}

/** What clients do; returns what the broker says otherwise than they were told. */
async function story(client, admin) {
  const faults = []
  const leases = new Set()
  const [a, b, c, d] = [client(), client(), client(), client()]
  const journal = async (lease) => {
    leases.add(lease)
    return lease
  }
  const compare = async (when) => {
    const told = [...leases].map(({ id, name, state }) => `${id} ${name} ${state}`).sort()
    const all = (await admin.holders()).filter(({ lease }) => lease !== null)
    const says = all.map(({ lease, name, state }) => `${lease} ${name} ${state}`).sort()
    if (told.join() !== says.join()) faults.push(`${when}: told [${told}], holders says [${says}]`)
  }
  const giveBack = async (lease) => {
    leases.delete(lease)
    await lease.release()
  }

  const blue = await journal(await a.acquire('web', { label: 'blue' }))
  await blue.ready()
  const former = await journal(await b.acquire('only'))
  await former.ready()
  const drained = new Promise((resolve) => former.once('drain', resolve))
  const next = await journal(await c.acquire('only', { takeover: true }))
  const ready = next.ready()
  await drained
  const waiting = d.acquire('only', { wait: Number.POSITIVE_INFINITY })
  await waits(admin, 'only')
  const superseded = new Promise((resolve) => blue.once('drain', resolve))
  const green = await journal(await a.acquire('web', { takeover: true, generation: 'v2' }))
  await green.ready()
  await superseded
  await admin.pause('web')
  // While `ready` is held the newcomer is granted to its client, and ready to the broker.
  leases.delete(next)
  leases.add({ id: next.id, name: 'only', state: 'ready' })
  await compare('while the name is handed over')
  leases.clear()
  for (const lease of [blue, former, next, green]) leases.add(lease)
  await giveBack(former)
  await ready
  await giveBack(blue)
  await admin.resume('web')
  await compare('after the hand-over')
  await giveBack(next)
  const last = await journal(await waiting)
  await last.ready()
  await compare('when the waiter was served')
  await giveBack(last)
  await giveBack(green)
  await settled(admin)
  await compare('at the end')
  return faults
}

/** A release while no broker is there is told to the next one, which may take a moment. */
async function settled(admin) {
  for (const end = performance.now() + 2000; performance.now() < end; await sleep(20)) {
    if ((await admin.holders()).every(({ lease }) => lease === null)) return
  }
}

async function waits(admin, name) {
  for (;;) {
    const view = (await admin.list()).find((one) => one.name === name)
    if (view.waiting > 0) return
    await sleep(5)
  }
}

async function cookiesOf(admin) {
  const views = await admin.list()
  return views.flatMap(({ sockets }) => sockets.map(({ cookie }) => cookie)).join()
}

/** Attaches strace(1) to the broker; it kills before the `point`-th call. */
export async function trace(pid, call, point) {
  const inject = `inject=${call}:signal=SIGKILL:when=${point}`
  const child = spawn('strace', ['-p', String(pid), '-s', '24', '-e', `trace=${call}`, '-e', inject], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  const attached = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`strace: ${text}`)))
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
      if (text.includes('attached')) resolve()
    })
  })
  await attached
  return {
    killedAt() {
      if (!text.includes('killed by SIGKILL')) return undefined
      const calls = text.split('\n').filter((line) => line.startsWith(`${call}(`))
      return calls.at(-1).slice(0, 100)
    },
    stop: () => child.kill('SIGTERM'),
  }
}

async function within(promise, ms, otherwise) {
  const late = sleep(ms, [otherwise], { ref: false })
  return await Promise.race([promise, late])
}

async function end(keeper) {
  const ended = new Promise((resolve) => keeper.once('exit', resolve))
  keeper.kill('SIGTERM')
  const late = sleep(3000, 'late', { ref: false })
  if ((await Promise.race([ended, late])) === 'late') keeper.kill('SIGKILL')
  await ended
}
