// How sessions of HTTP/2 are closed while requests are on their way.

import { once } from 'node:events'
import { createServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { Http2Client } from '../../bench/handover/http2-client.mjs'
import { Http2Work } from '../../src/client/http2-work.ts'
import { atEnd } from '../support/cleanup.ts'
import { until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

/** Sends a request to each of some sessions, has `end` end them in the moment before they are read, and counts the answers. */
async function answeredAtTheEnd(end: (work: Http2Work, sessions: Set<ServerHttp2Session>) => void) {
  const work = new Http2Work()
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer((_, response) => response.end('x'.repeat(100)))
  server.on('session', (session) => {
    sessions.add(session)
    work.add(session)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const clients = Array.from({ length: 10 }, () => new Http2Client(port))
  atEnd(() => {
    for (const client of clients) client.close()
    server.close()
  })
  expect(await Promise.all(clients.map((client) => client.request()))).toEqual(Array(10).fill(true))
  // What is done in an immediate is followed by a poll, and only then by what it wants to be written.
  await new Promise((resolve) => setImmediate(resolve))
  const answers = clients.map((client) => client.request())
  end(work, sessions)
  return { answers: (await Promise.all(answers)).filter(Boolean).length, clients }
}

// Under Node 20 each of these refusals reads memory that it has freed (nodejs/node#64113), and after some hundreds the process is no more.
const survives = Number(process.versions.node.split('.')[0]) >= 22
it.runIf(survives)('close() alone refuses what is read before its GOAWAY is written (Node 22: it corrupts the heap before)', async () => {
  const { answers } = await answeredAtTheEnd((_, sessions) => {
    for (const session of sessions) session.close()
  })
  expect(answers).toBe(0)
})

it('serves such requests before it closes', async () => {
  const { answers, clients } = await answeredAtTheEnd((work) => work.closeAll())
  expect(answers).toBe(10)
  await until(() => clients.every((client) => client.told), 'all are told')
  for (const client of clients) expect(client.goaways[0]).toBe(2 ** 31 - 1)
})
