// An open loop of connections, each of which expects one byte, to a port and to a path in turn. Nothing is tried twice, and what is
// late is caught up with in bursts of ten at most.

import { connect } from 'node:net'

const PATIENCE_MS = 30_000
const [port, path, rate] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4])]
const results = { tcp: { made: 0, failed: 0 }, unix: { made: 0, failed: 0 }, errors: {}, slowest: 0 }
const pending = new Set()
let turn = 0

function one() {
  const kind = turn++ % 2 === 0 ? 'tcp' : 'unix'
  const started = performance.now()
  results[kind].made++
  const over = new Promise((resolve) => {
    let bytes = 0
    let why
    const socket = connect(kind === 'tcp' ? { host: '127.0.0.1', port } : { path })
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('late')))
    socket.on('data', (data) => {
      bytes += data.length
    })
    socket.once('error', (error) => {
      why = error.code ?? error.message
    })
    socket.once('close', () => resolve(bytes === 1 ? undefined : (why ?? 'no answer')))
  }).then((why) => {
    pending.delete(over)
    results.slowest = Math.max(results.slowest, performance.now() - started)
    if (why === undefined) return
    results[kind].failed++
    results.errors[why] = (results.errors[why] ?? 0) + 1
  })
  pending.add(over)
}

const began = performance.now()
let due = began
const timer = setInterval(() => {
  due = Math.max(due, performance.now() - 10_000 / rate)
  for (; due <= performance.now(); due += 1000 / rate) one()
}, 1)

process.on('message', async () => {
  clearInterval(timer)
  const seconds = (performance.now() - began) / 1000
  await Promise.all(pending)
  const made = results.tcp.made + results.unix.made
  process.send({ ...results, made, perSecond: made / seconds }, () => process.exit())
})
process.on('disconnect', () => process.exit())
