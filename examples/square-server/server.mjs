// Answers a number with its square. Anything else is a bug that nobody foresaw: it crashes.
//   node server.mjs bind PORT          binds 127.0.0.1:PORT itself
//   node server.mjs acquire NAME       gets its socket from fd-broker; waits when another holds it
import net from 'node:net'

const [how, what] = process.argv.slice(2)

const server = net.createServer((socket) => {
  socket.setEncoding('utf8').on('error', () => {})
  socket.once('data', (text) => {
    if (!/^\d+\n$/.test(text)) throw new Error(`not a number: ${JSON.stringify(text)}`)
    socket.end(`${Number(text) ** 2}\n`)
  })
})

if (how === 'bind') {
  server.listen(Number(what), '127.0.0.1')
} else {
  const { broker } = await import('fd-broker')
  const lease = await broker.acquire(what, { wait: Number.POSITIVE_INFINITY })
  await lease.ready()
  await lease.listen(server)
}
