// serve() with every kind of server.

import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer as createHttp2,
  createSecureServer,
} from 'node:http2'
import { createServer as createHttps, get as getTls, Agent as SecureAgent } from 'node:https'
import { connect as dial } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTls, connect as dialTls } from 'node:tls'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { expect, it } from 'vitest'
import { Http2Client } from '../../bench/handover/http2-client.mjs'
import { connect, type Lease, type Server } from '../../src/client/index.ts'
import { certificate } from '../support/certificate.ts'
import { atEnd } from '../support/cleanup.ts'
import { startDaemon, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SOCKETS = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n'

async function serve(make: Server | ((directory: string) => Server), drainTimeout = 4000) {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const broker = connect({ socket: daemon.control })
  atEnd(() => broker.close())
  const lease: Lease = await broker.acquire('web')
  const done = lease.serve(typeof make === 'function' ? make(daemon.directory) : make, { drainTimeout })
  await until(() => lease.state === 'ready', 'it serves')
  return { lease, done, port: Number(lease.sockets[0]!.address.split(':').at(-1)) }
}

/** Answers with the path, after the milliseconds that it ends with. */
function slow({ url }: { url?: string | undefined }, response: { end(text: string): void }): void {
  setTimeout(() => response.end(url!), Number(/\d*$/.exec(url!)![0]))
}

const askHttp2 = (session: ClientHttp2Session, path: string) =>
  text(session.request({ ':path': path }).setEncoding('utf8'))

/** A keep-alive client whose last answer on the connection came with `Connection: close`. */
async function keptThenClosed(port: number, release: () => Promise<void>): Promise<string[]> {
  const socket = dial(port, '127.0.0.1').setEncoding('utf8')
  const heard: string[] = []
  socket.on('data', (data) => heard.push(String(data)))
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => heard.length > 0, 'an answer')
  const released = release()
  await sleep(20)
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'close')
  await released
  return heard.map((answer) => /^connection: (.*)$/im.exec(answer)![1]!)
}

it('fastify, express and koa', async () => {
  const app = fastify().get('/', async () => 'fastify')
  await app.ready()
  const servers = [
    app.server,
    createHttp(express().get('/', (_, response) => void response.send('express'))),
    createHttp(
      new Koa()
        .use((context) => {
          context.body = 'koa'
        })
        .callback(),
    ),
  ]
  for (const server of servers) {
    const { lease, done, port } = await serve(server)
    expect(await keptThenClosed(port, () => lease.release())).toEqual(['keep-alive', 'close'])
    expect(await done).toMatchObject({ cut: 0 })
  }
})

it('https: requests in flight finish, idle connections are told or closed at the grace', async () => {
  const { lease, done, port } = await serve((directory) => createHttps(certificate(directory), slow))
  const ask = (agent: SecureAgent, path: string) =>
    new Promise<string>((resolve, reject) => {
      const options = { host: '127.0.0.1', port, agent, path, rejectUnauthorized: false }
      getTls(options, async (response) => resolve(`${await text(response)} ${response.headers.connection}`)).on(
        'error',
        reject,
      )
    })
  const agents = Array.from({ length: 3 }, () => new SecureAgent({ keepAlive: true, maxSockets: 1 }))
  for (const agent of agents) expect(await ask(agent, '/0')).toBe('/0 keep-alive')
  const flying = ask(agents[0]!, '/200')
  await sleep(30)
  const released = lease.release()
  expect(await ask(agents[1]!, '/0')).toBe('/0 close')
  expect(await flying).toBe('/200 close')
  await released
  expect(await done).toEqual({ reason: 'released', cut: 0 })
  for (const agent of agents) agent.destroy()
})

it('tls: waits for connections', async () => {
  const { lease, done, port } = await serve((directory) =>
    createTls(certificate(directory), (socket) => socket.on('data', (data) => socket.end(data))),
  )
  const socket = dialTls({ host: '127.0.0.1', port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const released = lease.release()
  await sleep(50)
  socket.write('tls')
  expect(await text(socket)).toBe('tls')
  await released
  expect(await done).toEqual({ reason: 'released', cut: 0 })
})

it('http2: says GOAWAY with the highest id and then with the last one, and answers what is sent between them', async () => {
  const { lease, done, port } = await serve(createHttp2((_, response) => response.end()))
  const client = new Http2Client(port)
  atEnd(() => client.close())
  expect(await client.request()).toBe(true)
  const before = client.request()
  const released = lease.release()
  const after = client.request()
  expect(await Promise.all([before, after])).toEqual([true, true])
  await released
  expect(client.goaways[0]).toBe(2 ** 31 - 1)
  expect(client.goaways.at(-1)).toBe(5)
  expect(await done).toEqual({ reason: 'released', cut: 0 })
})

it('http2: finishes streams in flight, cuts them at the deadline, and closes silent clients', async () => {
  const { lease, done, port } = await serve(createHttp2(slow), 600)
  const session = connectHttp2(`http://127.0.0.1:${port}`).on('error', () => {})
  const [short, long] = [askHttp2(session, '/200'), askHttp2(session, '/5000').catch(() => 'cut')]
  const silent = dial(port, '127.0.0.1').resume()
  silent.write(
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from('000000040000000000', 'hex')]),
  )
  await sleep(50)
  await lease.release()
  expect(await short).toBe('/200')
  await long
  expect(await done).toEqual({ reason: 'released', cut: 1 })
  silent.destroy()
})

it('http2 over TLS: serves a session until it is idle, and then tells it; HTTP/1 beside it', async () => {
  const options = { allowHTTP1: true }
  const { lease, done, port } = await serve((directory) =>
    createSecureServer({ ...certificate(directory), ...options }, slow as never),
  )
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  const agent = new SecureAgent({ keepAlive: true })
  const told = once(session, 'goaway')
  expect(await askHttp2(session, '/0')).toBe('/0')
  const released = lease.release()
  for (let at = 0; at < 3; at++) {
    await sleep(50)
    expect(await askHttp2(session, '/20')).toBe('/20')
  }
  expect(await told).toEqual([0, 2 ** 31 - 1, undefined])
  await released
  expect(await done).toEqual({ reason: 'released', cut: 0 })
  agent.destroy()
})
