import { Agent, createServer as createHttp, get } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2, createSecureServer } from 'node:http2'
import { createServer as createHttps, get as getTls } from 'node:https'
import { text } from 'node:stream/consumers'
import { createServer as createTls, connect as dialTls } from 'node:tls'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { describe, expect, it } from 'vitest'
import type { Server } from '../../src/client/index.ts'
import { certificate } from '../support/certificate.ts'
import { granting, portOf } from '../support/fake-broker.ts'
import { useSdk } from '../support/sdk.ts'

const { atEnd, scratch, serve, socket } = useSdk()

/** IPv4 and IPv6 loopback behind one name. */
async function listenOnTwo(server: Server): Promise<{ host: string; port: number }[]> {
  const sockets = [socket('tcp'), socket('tcp', '::1')]
  const lease = await serve(granting(sockets)).broker.acquire('web')
  await lease.listen(server)
  atEnd(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return [
    { host: '127.0.0.1', port: portOf(sockets[0]!) },
    { host: '::1', port: portOf(sockets[1]!) },
  ]
}

const fetchBody = (options: object, request: typeof get = get) =>
  new Promise<string>((resolve, reject) => {
    request({ ...options, agent: false, path: '/' }, (response) => resolve(text(response))).on('error', reject)
  })

function askHttp2(url: string): Promise<string> {
  const session = connectHttp2(url, { rejectUnauthorized: false })
  return text(session.request({ ':path': '/' }).setEncoding('utf8')).finally(() => session.close())
}

describe('lease.listen serves on every socket of the name', () => {
  it('an http server', async () => {
    const server = createHttp((_request, response) => response.end('http'))
    for (const where of await listenOnTwo(server)) expect(await fetchBody(where)).toBe('http')
  })

  it('an https server', async () => {
    const server = createHttps(certificate(scratch.path), (_request, response) => response.end('https'))
    for (const where of await listenOnTwo(server)) {
      expect(await fetchBody({ ...where, rejectUnauthorized: false }, getTls)).toBe('https')
    }
  })

  it('a tls server', async () => {
    const server = createTls(certificate(scratch.path), (connection) => connection.end('tls'))
    for (const where of await listenOnTwo(server)) {
      expect(await text(dialTls({ ...where, rejectUnauthorized: false }))).toBe('tls')
    }
  })

  it('an http2 server', async () => {
    const plain = createHttp2((_request, response) => response.end('h2c'))
    for (const { host, port } of await listenOnTwo(plain)) {
      expect(await askHttp2(`http://${host.includes(':') ? `[${host}]` : host}:${port}`)).toBe('h2c')
    }
  })

  it('a secure http2 server, also for clients of http/1.1', async () => {
    const server = createSecureServer({ ...certificate(scratch.path), allowHTTP1: true }, (_request, response) =>
      response.end('h2'),
    )
    for (const { host, port } of await listenOnTwo(server)) {
      expect(await askHttp2(`https://${host.includes(':') ? `[${host}]` : host}:${port}`)).toBe('h2')
      expect(await fetchBody({ host, port, rejectUnauthorized: false }, getTls)).toBe('h2')
    }
  })

  it('an express app', async () => {
    const app = express().get('/', (_request, response) => {
      response.send('express')
    })
    for (const where of await listenOnTwo(createHttp(app))) expect(await fetchBody(where)).toBe('express')
  })

  it('a koa app', async () => {
    const app = new Koa().use((context) => {
      context.body = 'koa'
    })
    for (const where of await listenOnTwo(createHttp(app.callback()))) expect(await fetchBody(where)).toBe('koa')
  })

  it('a fastify app', async () => {
    const app = fastify().get('/', async () => 'fastify')
    await app.ready()
    for (const where of await listenOnTwo(app.server)) expect(await fetchBody(where)).toBe('fastify')
  })
})

it('closes an http server with idle keep-alive connections on both sockets', async () => {
  const server = createHttp((_request, response) => response.end('http'))
  const sockets = [socket('tcp'), socket('tcp', '::1')]
  const lease = await serve(granting(sockets)).broker.acquire('web')
  await lease.listen(server)
  const agent = new Agent({ keepAlive: true })
  for (const [at, host] of ['127.0.0.1', '::1'].entries()) {
    const options = { host, port: portOf(sockets[at]!), agent }
    await new Promise((resolve) => get(options, (response) => resolve(text(response))))
  }
  const start = performance.now()
  await new Promise((resolve) => server.close(resolve))
  expect(performance.now() - start).toBeLessThan(1000)
  agent.destroy()
})
