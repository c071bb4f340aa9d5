// Clients that send at random within a millisecond of the drain, and never retry.

import { connect as dial } from 'node:net'
import { expect, it } from 'vitest'
import { Http2Client } from '../../bench/handover/http2-client.mjs'
import { connect } from '../../src/client/index.ts'
import { atEnd } from '../support/cleanup.ts'
import { startDaemon } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { seeded } from '../support/random.ts'
import { ServeWorker } from '../support/serve-worker.ts'

forbidLeaks()

const ROUNDS = 200
const CLIENTS = 25
/** The drain reaches the worker about so long after it is asked for. */
const WAY = 0.3

interface Client {
  /** Sends one request now; false when it is never answered. Undefined when the client knew that it must not. */
  send(): Promise<boolean> | undefined
  close(): void
}

async function openHttp1(port: number): Promise<Client> {
  const socket = dial(port, '127.0.0.1').on('error', () => {})
  const ask = () =>
    new Promise<boolean>((resolve) => {
      let answer = ''
      const onData = (data: Buffer) => {
        answer += data
        if (answer.endsWith('x'.repeat(100))) settle()
      }
      const settle = () => {
        socket.off('data', onData).off('close', settle)
        resolve(answer.endsWith('x'.repeat(100)))
      }
      socket.on('data', onData).on('close', settle)
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    })
  if (!(await ask())) throw new Error('the first request failed')
  return { send: () => (socket.writable && !socket.readableEnded ? ask() : undefined), close: () => socket.destroy() }
}

async function openHttp2(port: number): Promise<Client> {
  const client = new Http2Client(port)
  if (!(await client.request())) throw new Error('the first request failed')
  return { send: () => (client.told ? undefined : client.request()), close: () => client.close() }
}

/** Sends at each client's time while the loop runs on, so that what has arrived is known. */
async function sendAround(clients: Client[], drain: () => Promise<void>, random: () => number) {
  const times = clients.map(() => 1 + WAY + (random() * 2 - 1)).sort((a, b) => a - b)
  const answers: Promise<boolean>[] = []
  const start = performance.now()
  let drained: Promise<void> | undefined
  for (let at = 0; at < clients.length; ) {
    const now = performance.now() - start
    if (!drained && now >= 1) drained = drain()
    if (now < times[at]!) await new Promise((resolve) => setImmediate(resolve))
    else {
      const answer = clients[at++]!.send()
      if (answer) answers.push(answer)
    }
  }
  await drained
  return Promise.all(answers)
}

async function countLost(kind: 'http' | 'http2', abrupt: boolean): Promise<{ sent: number; lost: number }> {
  const daemon = await startDaemon({ sockets: '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n' })
  const broker = connect({ socket: daemon.control })
  atEnd(() => broker.close())
  const worker = new ServeWorker(daemon.control)
  const random = seeded(20)
  const count = { sent: 0, lost: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const lease = await worker.serve({ name: 'web', kind, drainTimeout: 1000, abrupt })
    const [web] = await broker.list()
    const port = Number(web!.sockets[0]!.address.split(':').at(-1))
    const open = kind === 'http' ? openHttp1 : openHttp2
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => open(port)))
    const answers = await sendAround(clients, () => broker.drain({ lease }), random)
    for (const client of clients) client.close()
    count.sent += answers.length
    count.lost += answers.filter((ok) => !ok).length
    expect(await worker.over()).toMatchObject({ reason: 'admin', cut: 0 })
  }
  return count
}

for (const kind of ['http', 'http2'] as const) {
  it(`loses no request of ${kind} that is sent within 1 ms of a drain, and some where idle connections are closed at once`, async () => {
    const control = await countLost(kind, true)
    expect(control.lost).toBeGreaterThan(0)
    const served = await countLost(kind, false)
    expect(served.sent).toBeGreaterThan(ROUNDS * CLIENTS * 0.5)
    expect(served.lost).toBe(0)
  }, 120_000)
}
