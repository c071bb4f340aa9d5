// Twenty clients, one every `interval` ms, each with its own connection, none of which tries twice.
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Client 5 sends what the server's author did not expect. */
export const message = (number) => (number === 5 ? 'five\n' : `${number}\n`)

/**
 * Nobody else is there when client 5 crashes a worker, and client 6 asks in the very moment. Resolves to one {number, answer?, error?, at}
 * per client; `at` is when it ended, in ms.
 */
export async function runClients(port, interval) {
  const clients = []
  for (let number = 0; number < 20; number++) {
    const client = askSquare(port, number)
    clients.push(client)
    if (number <= 5) await client
    if (number !== 5) await sleep(interval)
  }
  return Promise.all(clients)
}

function askSquare(port, number) {
  return new Promise((resolve) => {
    let text = ''
    const end = (result) => resolve({ number, at: performance.now(), ...result })
    const socket = net.connect({ port, host: '127.0.0.1' }, () => socket.write(message(number)))
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    socket.once('error', (error) => end({ error: error.code }))
    socket.once('close', () => end(text === '' ? { error: 'no answer' } : { answer: Number(text) }))
  })
}
