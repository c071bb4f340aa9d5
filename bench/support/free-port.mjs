// A loopback port that was free a moment ago, and that the kernel gives to nobody who asks for any: it is below those (ip_local_port_range,
// from 32768).

import { once } from 'node:events'
import { createServer } from 'node:net'

const [FIRST, LAST] = [15_000, 32_000]

export async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
