// node sdk.mjs SOCKET ROUNDS live|connect: the SDK's round trips, reported as the C programs report theirs.

import { connect } from '../../dist/client/index.js'

const [socket, count, form] = process.argv.slice(2)
const rounds = Number(count)
const live = form === 'live'
let broker = connect({ socket, reconnect: false })

async function once() {
  if (!live) broker = connect({ socket, reconnect: false })
  const from = performance.now()
  const lease = await broker.acquire('web')
  if (live) {
    const took = performance.now() - from
    await lease.release()
    return took
  }
  await broker.close()
  return performance.now() - from
}

for (let i = 0; i < rounds / 10; i++) await once()
const took = []
for (let i = 0; i < rounds; i++) took.push((await once()) * 1000)
await broker.close()
took.sort((a, b) => a - b)
const total = took.reduce((sum, one) => sum + one, 0)
const p = (share) => Math.round(took[Math.floor(rounds * share)] * 1000) / 1000
console.log(JSON.stringify({ rounds, p50: p(0.5), p99: p(0.99), rate: Math.round((rounds * 1e6) / total) }))
