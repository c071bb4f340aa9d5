// node worker.mjs self PORT | broker | cluster PORT COUNT: accepts connections and closes them.

import cluster from 'node:cluster'
import { createServer } from 'node:net'

const [how, port, count] = process.argv.slice(2)
const server = createServer({ pauseOnConnect: true }, (socket) => socket.destroy())

if (how === 'self') server.listen(Number(port), '127.0.0.1')
else if (how === 'broker') {
  const { broker } = await import('../../dist/client/index.js')
  const web = await broker.acquire('web')
  await web.listen(server)
  await web.ready()
} else if (cluster.isPrimary) for (let i = 0; i < Number(count); i++) cluster.fork()
else server.listen(Number(port), '127.0.0.1')
