// node bench/handover/full-queue.mjs [--clients 12] [--backlog 4] [--seconds 2.5] [--json]: what clients see when a paused name's
// accept queue is full. The kernel drops their SYN; they send it again after a second, and so on. None is refused.

import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { readOptions } from './options.mjs'
import { report } from './report.mjs'
import { onStage } from './stage.mjs'

const { clients: count, backlog, seconds, json } = readOptions({ clients: 12, backlog: 4, seconds: 2.5 })

async function measure(stage) {
  await stage.command('pause', 'web', '--drain')
  const clients = Array.from({ length: count }, () => ask(stage.port))
  await sleep(seconds * 1000)
  const [{ sockets }] = JSON.parse(await stage.command('list', '--json')).sockets
  await stage.command('resume', 'web')
  const worker = stage.startWorker()
  await worker.begin()
  return { clients: await Promise.all(clients), figures: sockets[0] }
}

function ask(port) {
  const client = { at: performance.now() }
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      client.connected = performance.now() - client.at
      socket.write('GET / HTTP/1.0\r\n\r\n')
    })
    socket.once('data', () => {
      client.answered = performance.now() - client.at
    })
    socket.once('error', ({ code }) => {
      client.error = code
    })
    socket.once('close', () => resolve(client)).setTimeout(60_000, () => socket.destroy(new Error('no answer in time')))
  })
}

const { clients, figures } = await onStage(`backlog = ${backlog}`, measure)
const tenths = (ms) => Math.round(ms / 100) / 10
const kinds = new Map()
for (const { connected, answered, error } of clients) {
  const kind = error ?? `${tenths(connected)}/${tenths(answered)}`
  kinds.set(kind, { connected, answered, error, count: (kinds.get(kind)?.count ?? 0) + 1 })
}
const rows = [...kinds.values()].sort((a, b) => a.answered - b.answered)
const unanswered = clients.filter(({ answered }) => answered === undefined).length
const { queue, limit, drops } = figures
const faults = []
if (unanswered > 0) faults.push(`${unanswered} clients got no answer`)
if (drops === 0) faults.push('nothing was dropped, so the queue was not full')
process.exitCode = report({
  json,
  title: `${count} clients of a name paused for ${seconds} s with backlog ${backlog}: list shows ${queue}/${limit}, ${drops} drops`,
  headings: ['clients', 'connected after s', 'answered after s', 'error'],
  rows: rows.map(({ connected, answered, error, count: all }) => [all, tenths(connected), tenths(answered), error]),
  figures: {
    clients: count,
    unanswered,
    queue,
    limit,
    drops,
    late: clients.filter(({ connected }) => connected > 900).length,
  },
  faults,
})
