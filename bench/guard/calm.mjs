// node calm.mjs [--minutes 10] [--seed S] [--rate 100]: names of every kind with nobody, and names under load whose honest workers start,
// take over, stop and are killed all the time. Whatever the guard repairs is a false alarm.

import dgram from 'node:dgram'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomFrom, readOptions } from '../handover/options.mjs'
import { report } from '../handover/report.mjs'
import { onStage } from '../handover/stage.mjs'
import { HonestWorkers, NAMES, TABLES, writeFiles } from './honest-workers.mjs'

const { minutes, seed, rate, json } = readOptions({ minutes: 10, rate: 100 })
const random = randomFrom(seed)
const LOADED = Object.keys(NAMES).filter((name) => !NAMES[name].idle)
/** What a client waits for, which is longer than any change of workers here takes. */
const PATIENCE_MS = 20_000

/** One byte or more came. */
function ask(name, address) {
  return name === 'dgram' ? askDatagram(address) : askStream(NAMES[name].ask, address)
}

function askStream(request, address) {
  return new Promise((resolve) => {
    let answered = false
    const socket = net.connect(address, () => request && socket.write(request))
    socket.setTimeout(PATIENCE_MS, () => socket.destroy())
    socket.on('data', () => {
      answered = true
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve(answered))
  })
}

function askDatagram({ port }) {
  return new Promise((resolve) => {
    const socket = dgram.createSocket('udp4')
    const end = (answered) => {
      clearTimeout(timer)
      socket.close()
      resolve(answered)
    }
    const timer = setTimeout(() => end(false), PATIENCE_MS)
    socket.on('message', () => end(true)).on('error', () => end(false))
    socket.send('x', port, '127.0.0.1')
  })
}

async function load(name, address, over) {
  const counts = { asked: 0, failed: 0 }
  const open = new Set()
  while (!over()) {
    const answer = ask(name, address).then((answered) => {
      open.delete(answer)
      if (!answered) counts.failed++
    })
    open.add(answer)
    counts.asked++
    await sleep((1000 * LOADED.length) / rate)
  }
  await Promise.all(open)
  return counts
}

/** One after the other, and now and then none for a moment. */
async function changeWorkers(workers, over) {
  let current = await workers.start(false)
  while (!over()) {
    await sleep(500 + random() * 3000)
    const what = random()
    if (what < 0.6) {
      const former = current
      current = await workers.start(true)
      // Its drain ends it.
      if (former.exitCode === null)
        await Promise.race([new Promise((resolve) => former.once('exit', resolve)), sleep(5000)])
    } else {
      await workers.end(current, what < 0.85 || !workers.killable() ? 'SIGTERM' : 'SIGKILL')
      current = await workers.start(false)
    }
  }
}

function addressesOf(list) {
  const entries = list.map(({ name, sockets }) => {
    const [, host] = sockets[0].address.split('://')
    return [
      name,
      host.startsWith('/')
        ? { path: host }
        : { host: host.includes('[') ? '::1' : '127.0.0.1', port: Number(host.split(':').at(-1)) },
    ]
  })
  return Object.fromEntries(entries)
}

async function measure(stage) {
  const addresses = addressesOf(await stage.broker.list())
  writeFiles(stage, { nginx: addresses.nginx.port })
  const end = performance.now() + minutes * 60_000
  const over = () => performance.now() >= end
  const all = new Map(LOADED.map((name) => [name, new HonestWorkers(stage, name)]))
  try {
    const changes = [...all.values()].map((workers) => changeWorkers(workers, over))
    const loads = LOADED.map((name) => load(name, addresses[name], over))
    await Promise.all(changes)
    const counts = await Promise.all(loads)
    const { repairs } = await stage.broker.stats()
    return Object.keys(NAMES).map((name) => ({
      name,
      ...(all.get(name)?.counts ?? { starts: 0, takeovers: 0, stops: 0, kills: 0 }),
      ...(counts[LOADED.indexOf(name)] ?? { asked: 0, failed: 0 }),
      repairs: repairs[name] ?? 0,
      why: stage.events.filter(({ event, name: whose }) => event === 'repaired' && whose === name),
    }))
  } finally {
    for (const workers of all.values()) workers.close()
  }
}

const COLUMNS = ['name', 'starts', 'takeovers', 'stops', 'kills', 'asked', 'failed', 'repairs']

const began = performance.now()
const rows = await onStage(`drain_timeout = "5s"\n${TABLES}`, measure)
const sum = (key) => rows.reduce((total, row) => total + row[key], 0)
process.exitCode = report({
  json,
  title: `${((performance.now() - began) / 60_000).toFixed(1)} minutes of honest workers (seed ${seed})`,
  headings: COLUMNS,
  rows: rows.map((row) => COLUMNS.map((column) => row[column])),
  figures: Object.fromEntries(
    ['starts', 'takeovers', 'stops', 'kills', 'asked', 'failed', 'repairs'].map((key) => [key, sum(key)]),
  ),
  faults: rows.flatMap(({ name, why }) => why.map((event) => `${name} was repaired: ${JSON.stringify(event)}`)),
})
