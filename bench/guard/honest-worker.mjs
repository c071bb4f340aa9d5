// node honest-worker.mjs NAME [--takeover]: serves one byte to whoever comes, until it is drained or told to stop.

import dgram from 'node:dgram'
import net from 'node:net'
import { connect } from '../../dist/client/index.js'

const [name] = process.argv.slice(2)
const broker = connect({ timeout: 20_000 })
const lease = await broker.acquire(name, { takeover: process.argv.includes('--takeover'), wait: 20_000 })
await lease.serve(name === 'dgram' ? echo() : net.createServer((socket) => socket.on('error', () => {}).end('x')), {
  signals: true,
})
await broker.close()
process.exit(0)

function echo() {
  const socket = dgram.createSocket('udp4')
  return socket.on('message', (data, from) => socket.send(data, from.port, from.address, () => {}))
}
