// Connections at a fixed rate: one whose moment has passed is left out, never caught up on, so that a pause makes no burst.

import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export class Clients {
  outcomes = { ok: 0, refused: 0, reset: 0, other: 0 }
  #port
  #open = new Set()
  #stopped = false

  constructor(port) {
    this.#port = port
  }

  /** Until stop(). */
  async run(perSecond) {
    const every = 1000 / perSecond
    for (let next = performance.now(); !this.#stopped; ) {
      const now = performance.now()
      if (now < next) {
        await sleep(Math.max(0, Math.floor(next - now)))
        continue
      }
      this.#connect()
      next = Math.max(next + every, now - 2 * every)
    }
    for (const end = performance.now() + 5000; this.#open.size > 0 && performance.now() < end; ) await sleep(10)
    this.outcomes.other += this.#open.size
    for (const socket of this.#open) socket.destroy()
  }

  stop() {
    this.#stopped = true
  }

  get total() {
    return Object.values(this.outcomes).reduce((sum, count) => sum + count, 0)
  }

  #connect() {
    let bytes = 0
    let failed
    const socket = net.connect(this.#port, '127.0.0.1')
    this.#open.add(socket)
    socket.on('data', (data) => {
      bytes += data.length
    })
    socket.on('error', ({ code }) => {
      failed = code
    })
    socket.on('close', () => {
      if (this.#open.delete(socket)) this.outcomes[outcomeOf(bytes, failed)]++
    })
  }
}

function outcomeOf(bytes, failed) {
  if (bytes === 1) return 'ok'
  if (failed === 'ECONNREFUSED') return 'refused'
  return failed === 'ECONNRESET' ? 'reset' : 'other'
}
