// node worker.mjs HOW [PORT]: an HTTP server that binds the port itself (`self`), joins others on it by SO_REUSEPORT (`reuse-port`), is
// given it by a parent as descriptor 3 (`inherited`), shares it with other workers of a primary (`cluster`), or asks the broker (`broker`;
// `takeover` replaces whoever serves, `standby` waits for its turn).
//
// With an IPC channel it says `serving`. Told `stop`, one that asks no broker does what Node.js's manual has: it closes its server, and
// ends when the last connection has. The primary is told `next` instead, and says `replaced`.

import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer } from 'node:http'

/** As long as serve() lets idle connections live, with the drain timeout below. */
const GRACE_MS = 2000
const DRAIN_TIMEOUT_MS = 4000
const NODE_BACKLOG = 511
const [how, port] = process.argv.slice(2)

if (how === 'cluster' && cluster.isPrimary) rollPrimary()
else await serve()

async function serve() {
  const server = createServer((_, answer) => answer.end(String(process.pid)))
  server.once('listening', () => process.send?.('serving'))
  process.on('message', (told) => told === 'stop' && stop(server))
  if (how === 'self' || how === 'cluster') server.listen(Number(port), '127.0.0.1')
  else if (how === 'reuse-port') server.listen({ fd: await bindBeside() })
  else if (how === 'inherited') server.listen({ fd: 3 })
  else await serveLease(server)
}

async function serveLease(server) {
  const { broker } = await import('fd-broker')
  const wants = { takeover: how === 'takeover', wait: how === 'standby' ? Number.POSITIVE_INFINITY : 0 }
  const web = await broker.acquire('web', wants)
  await web.serve(server, { drainTimeout: DRAIN_TIMEOUT_MS })
  await broker.close()
  process.channel?.unref()
}

/** Not by Node.js's `reusePort`, which its older versions do not have. */
async function bindBeside() {
  const { openSocket } = await import('../../dist/sys/index.js')
  const address = { type: 'tcp', host: '127.0.0.1', port: Number(port), family: 4 }
  return openSocket(address, { reusePort: true }, NODE_BACKLOG).fd.release()
}

function stop(server) {
  setTimeout(() => process.exit(0), GRACE_MS).unref()
  server.close(() => process.connected && !cluster.isWorker && process.disconnect())
  if (cluster.isWorker) cluster.worker.disconnect()
}

function rollPrimary() {
  let current = cluster.fork()
  once(current, 'listening').then(() => process.send('serving'))
  process.on('message', async () => {
    const former = current
    current = cluster.fork()
    await once(current, 'listening')
    former.send('stop')
    await once(former, 'exit')
    process.send('replaced')
  })
  process.on('disconnect', () => process.exit(0))
}
