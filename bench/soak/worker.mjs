// A worker of the soak: serves `web` until it is drained or told to stop. Says 'serving' to its parent.

import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../dist/client/index.js'

process.on('disconnect', () => process.exit(0))
const broker = connect({ timeout: 20_000 })
const lease = await broker.acquire('web', { takeover: process.argv.includes('--takeover'), wait: 20_000 })
const over = lease.serve(
  createServer((_, response) => response.end('x')),
  { signals: true },
)
while (lease.state === 'granted') await sleep(2)
process.send('serving')
await over
await broker.close()
process.disconnect()
