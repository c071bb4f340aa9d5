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

/** What is done after it, in an immediate, is followed by a poll, and only then by what that wants to be written. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Clients with sessions that have answered one request each; the loop has just polled. */
async function openSessions() {
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
  expect(await answersOf(clients)).toEqual(Array(10).fill(true))
  await turn()
  return { work, sessions, clients }
}

const answersOf = (clients: Http2Client[]) => Promise.all(clients.map((client) => client.request()))

/** Before them each of these refusals reads memory that it has freed (CVE-2026-56848), and after some hundreds the process is no more. */
const MENDED: Readonly<Record<number, readonly [number, number]>> = { 22: [23, 2], 24: [18, 1], 26: [5, 1] }

function survives(): boolean {
  const [major, minor, patch] = process.versions.node.split('.').map(Number) as [number, number, number]
  const since = MENDED[major]
  return since ? minor > since[0] || (minor === since[0] && patch >= since[1]) : major > 26
}

it.runIf(survives())(
  'close() alone refuses what is read before its GOAWAY is written (needs a Node.js in which that does not corrupt the heap)',
  async () => {
    const { sessions, clients } = await openSessions()
    const answers = answersOf(clients)
    for (const session of sessions) session.close()
    expect(await answers).toEqual(Array(10).fill(false))
  },
)

it('serves such requests before it closes', async () => {
  const { work, clients } = await openSessions()
  const answers = answersOf(clients)
  work.closeAll()
  expect(await answers).toEqual(Array(10).fill(true))
  await until(() => clients.every((client) => client.told), 'all are told')
  for (const client of clients) expect(client.goaways[0]).toBe(2 ** 31 - 1)
})

it('tells who sends while the GOAWAY is on its way which stream was the last', async () => {
  const { work, clients } = await openSessions()
  work.closeAll()
  await turn()
  expect(await answersOf(clients)).toEqual(Array(10).fill(false))
  // Node says the last one again as it ends the session.
  for (const client of clients) expect([...new Set(client.goaways)]).toEqual([2 ** 31 - 1, 1])
})
