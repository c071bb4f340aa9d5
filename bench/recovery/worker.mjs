// Takes the sockets of `web` once, and answers each connection with a byte, whatever becomes of the broker.

import { createServer } from 'node:net'
import { connect } from '../../dist/client/index.js'

const lease = await connect({ socket: process.argv[2] }).acquire('web', { ready: true })
const answer = (socket) => socket.on('error', () => {}).end('1')
let listening = 0
for (const fd of lease.take()) {
  createServer(answer).listen({ fd }, 4096, () => {
    if (++listening === 2) process.send('serving')
  })
}
process.on('disconnect', () => process.exit())
