// node worker.mjs HOW [PORT]: an HTTP server that binds the port itself (`self`), is given it by a parent as descriptor 3
// (`inherited`), or asks the broker (`broker`, `standby`: waits for its turn).

import { createServer } from 'node:http'

const [how, port] = process.argv.slice(2)
const server = createServer((_, answer) => answer.end(String(process.pid)))

if (how === 'self') server.listen(Number(port), '127.0.0.1')
else if (how === 'inherited') server.listen({ fd: 3 })
else {
  const { broker } = await import('../../dist/client/index.js')
  const web = await broker.acquire('web', { wait: how === 'standby' ? -1 : 0 })
  await web.serve(server)
}
