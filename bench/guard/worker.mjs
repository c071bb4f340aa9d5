// A worker that answers every connection with one byte.

import net from 'node:net'
import { broker } from '../../dist/client/index.js'

const lease = await broker.acquire('web')
const server = net.createServer((socket) => {
  socket.on('error', () => {})
  socket.end('x')
})
server.once('listening', () => console.log('ready'))
await lease.serve(server)
