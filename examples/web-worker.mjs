// A web server that does not bind its port: it gets the listening socket `web` from the broker. Start several; kill any.

import http from 'node:http'
import { broker } from 'fd-broker'

const web = await broker.acquire(process.env.WEB_NAME ?? 'web')

const server = http.createServer((_request, response) => {
  response.end(`Hello from pid ${process.pid}\n`)
})

await web.listen(server)
await web.ready()
console.log(`worker ${process.pid}: serves ${web.sockets.map(({ address }) => address).join(' ')}`)

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await new Promise((resolve) => server.close(resolve))
    await web.release()
    process.exit()
  })
}
