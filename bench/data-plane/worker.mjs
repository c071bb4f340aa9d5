// node worker.mjs self PORT | broker | round-robin PORT COUNT | shared-handle PORT COUNT: accepts connections and closes them. The last two
// are Node's cluster, whose primary accepts and passes connections on, or binds the port for all. Says "ready" when all accept.

import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer } from 'node:net'

const POLICIES = { 'round-robin': cluster.SCHED_RR, 'shared-handle': cluster.SCHED_NONE }
const [how, port, count] = process.argv.slice(2)

if (Object.hasOwn(POLICIES, how) && cluster.isPrimary) {
  cluster.schedulingPolicy = POLICIES[how]
  const workers = Array.from({ length: Number(count) }, () => cluster.fork())
  await Promise.all(workers.map((worker) => once(worker, 'listening')))
  console.log('ready')
} else await accept()

async function accept() {
  const server = createServer({ pauseOnConnect: true }, (socket) => socket.destroy())
  if (how === 'broker') {
    const { broker } = await import('fd-broker')
    const web = await broker.acquire('web')
    await web.listen(server)
    await web.ready()
  } else {
    server.listen(Number(port), '127.0.0.1')
    await once(server, 'listening')
  }
  if (!cluster.isWorker) console.log('ready')
}
