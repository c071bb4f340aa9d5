import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Agent, createServer as createHttp, get, request as send } from 'node:http'
import { createServer as createNet, connect as dial } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Broker, connect, type Lease, type ServeOptions, type Server } from '../../src/client/index.ts'
import { atEnd } from '../support/cleanup.ts'
import { startDaemon, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { ended } from '../support/sdk.ts'

forbidLeaks()

const SOCKETS = `
[sockets.web]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
[sockets.one]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
mode = "exclusive"
[sockets.dns]
listen = "udp://127.0.0.1:0"
allow = ["any"]
`

async function start(): Promise<{ broker: Broker; successor: Broker }> {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const brokers = [0, 1].map(() => connect({ socket: daemon.control }))
  for (const broker of brokers) atEnd(() => broker.close())
  return { broker: brokers[0]!, successor: brokers[1]! }
}

const portOf = (lease: Lease) => Number(lease.sockets[0]!.address.split(':').at(-1))

async function serveOn(
  broker: Broker,
  server: Server,
  { name = 'web', ...options }: ServeOptions & { name?: string } = {},
) {
  const lease = await broker.acquire(name)
  const done = lease.serve(server, { drainTimeout: 1000, ...options })
  done.catch(() => {})
  await until(() => lease.state !== 'granted', 'it serves')
  return { lease, done, port: portOf(lease) }
}

function ask(port: number, agent: Agent | false = false, path = '/') {
  return new Promise<{ body: string; connection: string | undefined }>((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent, path }, async (response) =>
      resolve({ body: await text(response), connection: response.headers.connection }),
    )
    request.on('error', reject)
  })
}

function keepAlive(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  atEnd(() => agent.destroy())
  return agent
}

it('serves, is ready, and resolves when a successor has taken over', async () => {
  const { broker, successor } = await start()
  const { done, lease, port } = await serveOn(
    broker,
    createHttp((_, response) => response.end('old')),
  )
  const heard: unknown[] = []
  lease.on('drain', (details) => heard.push(details))
  expect(await ask(port)).toMatchObject({ body: 'old' })
  const next = await successor.acquire('web', { takeover: true })
  const nextDone = next.serve(createHttp((_, response) => response.end('new')))
  expect(await done).toEqual({ reason: 'takeover', cut: 0 })
  expect(heard).toEqual([{ reason: 'takeover', deadline: expect.any(Number) }])
  expect(lease.state).toBe('ended')
  expect(await ask(port)).toMatchObject({ body: 'new' })
  await next.release()
  expect(await nextDone).toEqual({ reason: 'released', cut: 0 })
  expect(await broker.holders('web')).toEqual([])
})

it('answers a request on an idle connection after the drain, with Connection: close', async () => {
  const { broker } = await start()
  const { lease, done, port } = await serveOn(
    broker,
    createHttp((_, response) => response.end('kept')),
    { drainTimeout: 4000 },
  )
  const agent = keepAlive()
  expect(await ask(port, agent)).toEqual({ body: 'kept', connection: 'keep-alive' })
  const released = lease.release()
  await sleep(20)
  expect(await ask(port, agent)).toEqual({ body: 'kept', connection: 'close' })
  await released
  expect(await done).toEqual({ reason: 'released', cut: 0 })
})

it('says Connection: close also where the program gives the header itself', async () => {
  const { broker } = await start()
  const heads: Record<string, unknown> = {
    '/object': { connection: 'keep-alive', 'x-a': '1' },
    '/flat': ['connection', 'keep-alive', 'x-a', '1'],
    '/pairs': [
      ['connection', 'keep-alive'],
      ['x-a', '1'],
    ],
  }
  const server = createHttp((request, response) => {
    if (request.url === '/set') response.setHeader('connection', 'keep-alive').end()
    else response.writeHead(200, heads[request.url!] as never).end()
  })
  const { lease, done, port } = await serveOn(broker, server, { drainTimeout: 4000 })
  const agents = [...Object.keys(heads), '/set'].map((path) => ({ path, agent: keepAlive() }))
  for (const { path, agent } of agents) expect(await ask(port, agent, path)).toMatchObject({ connection: 'keep-alive' })
  const released = lease.release()
  for (const { path, agent } of agents) expect(await ask(port, agent, path)).toMatchObject({ connection: 'close' })
  await released
  expect(await done).toMatchObject({ cut: 0 })
})

it('closes a connection that stays idle at the grace, half the deadline, and not before', async () => {
  const { broker } = await start()
  const { lease, done, port } = await serveOn(
    broker,
    createHttp((_, response) => response.end()),
    { drainTimeout: 4000 },
  )
  const fresh = dial(port, '127.0.0.1').resume()
  const used = dial(port, '127.0.0.1').resume()
  used.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(used, 'data')
  const start_ = performance.now()
  void lease.release()
  await Promise.all([once(fresh, 'end'), once(used, 'end')])
  expect(performance.now() - start_).toBeGreaterThan(1900)
  expect(await done).toEqual({ reason: 'released', cut: 0 })
  expect(performance.now() - start_).toBeLessThan(3900)
})

it('finishes requests in flight, and pipelined ones', async () => {
  const { broker } = await start()
  const inFlight: (() => void)[] = []
  const server = createHttp((request, response) => inFlight.push(() => response.end(request.url)))
  const { lease, done, port } = await serveOn(broker, server)
  const answer = ask(port, keepAlive(), '/slow')
  const piped = dial(port, '127.0.0.1')
  piped.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => inFlight.length === 3, 'three requests in flight')
  void lease.release()
  await sleep(20)
  for (const end of inFlight) end()
  expect(await answer).toEqual({ body: '/slow', connection: 'close' })
  expect(await text(piped)).toMatch(/^HTTP\/1.1 200 OK\r\nDate.*keep-alive.*\/1.*200 OK.*Connection: close.*\/2/s)
  expect(await done).toEqual({ reason: 'released', cut: 0 })
})

it('lets a client send the rest of a request that is answered early: no reset', async () => {
  const { broker } = await start()
  const server = createHttp((_, response) => response.end('no need'))
  const { lease, done, port } = await serveOn(broker, server)
  const agent = keepAlive()
  await ask(port, agent)
  void lease.release()
  const body = Buffer.alloc(300_000)
  const answer = await new Promise<string>((resolve, reject) => {
    const headers = { 'content-length': body.length * 2 }
    const request = send({ host: '127.0.0.1', port, agent, method: 'POST', headers }, (response) => {
      response.on('error', reject)
      setTimeout(() => request.end(body), 100)
      setTimeout(() => resolve(text(response)), 200)
    })
    request.on('error', reject).write(body)
  })
  expect(answer).toBe('no need')
  expect(await done).toMatchObject({ cut: 0 })
})

it('cuts what is under way at the deadline, and counts it', async () => {
  const { broker } = await start()
  let requests = 0
  const server = createHttp(() => requests++)
  let connections = 0
  server.on('connection', () => connections++)
  server.on('upgrade', (_, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
  const { lease, done, port } = await serveOn(broker, server, { drainTimeout: 300 })
  const never = ended(ask(port))
  const upgraded = dial(port, '127.0.0.1')
  upgraded.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  await once(upgraded, 'data')
  const half = dial(port, '127.0.0.1').on('error', () => {})
  half.write('GET / HT')
  await until(() => connections === 3 && requests === 1, 'all three are accepted')
  await lease.release()
  expect(await done).toEqual({ reason: 'released', cut: 3 })
  expect(await never).toMatchObject({ code: 'ECONNRESET' })
})

it('takes the earlier deadline, the broker’s or drainTimeout', async () => {
  const { broker, successor } = await start()
  let requests = 0
  const { done, port } = await serveOn(
    broker,
    createHttp(() => requests++),
    { drainTimeout: 60_000 },
  )
  const never = ended(ask(port))
  await until(() => requests === 1, 'it is accepted')
  const before = performance.now()
  await successor.drain({ name: 'web' }, { timeout: 400 })
  expect(await done).toEqual({ reason: 'admin', cut: 1 })
  expect(performance.now() - before).toBeLessThan(5000)
  await never
})

it('waits for plain connections', async () => {
  const { broker } = await start()
  const server = createNet((socket) => socket.on('data', (data) => socket.end(data)))
  const { lease, done, port } = await serveOn(broker, server)
  const accepted = once(server, 'connection')
  const socket = dial(port, '127.0.0.1')
  await Promise.all([once(socket, 'connect'), accepted])
  const released = lease.release()
  await sleep(100)
  socket.write('still here')
  expect(await text(socket)).toBe('still here')
  await released
  expect(await done).toEqual({ reason: 'released', cut: 0 })
})

it('closes a datagram socket, and releases', async () => {
  const { broker } = await start()
  const { lease, done } = await serveOn(broker, createSocket('udp4'), { name: 'dns' })
  await lease.release()
  expect(await done).toEqual({ reason: 'released', cut: 0 })
})

it('accepts on an exclusive name only when the former holder is gone', async () => {
  const { broker, successor } = await start()
  const first = await serveOn(
    broker,
    createHttp((_, response) => setTimeout(() => response.end('first'), 200)),
    { name: 'one' },
  )
  const answer = ask(first.port)
  await sleep(30)
  const server = createHttp((_, response) => response.end('second'))
  const lease = await successor.acquire('one', { takeover: true })
  const done = lease.serve(server)
  await once(first.lease, 'drain')
  expect(server.listening).toBe(false)
  const queued = ask(first.port)
  expect(await answer).toMatchObject({ body: 'first' })
  expect(await first.done).toEqual({ reason: 'takeover', cut: 0 })
  expect(await queued).toMatchObject({ body: 'second' })
  await lease.release()
  await done
})

it('drains when the signal aborts, and rejects when it aborted before', async () => {
  const { broker } = await start()
  const abort = new AbortController()
  const { done } = await serveOn(broker, createHttp(), { signal: abort.signal })
  abort.abort(new Error('enough'))
  expect(await done).toEqual({ reason: 'aborted', cut: 0 })
  const lease = await broker.acquire('web')
  expect(await ended(lease.serve(createHttp(), { signal: abort.signal }))).toMatchObject({ message: 'enough' })
  expect(lease.state).toBe('ended')
})

it('gives the lease back when the program closes its server', async () => {
  const { broker } = await start()
  const server = createHttp()
  const { done } = await serveOn(broker, server)
  server.close()
  expect(await done).toEqual({ reason: 'closed', cut: 0 })
})

it('rejects and gives the lease back when listening fails, and serves once', async () => {
  const { broker } = await start()
  const lease = await broker.acquire('web')
  const serving = ended(lease.serve(createSocket('udp4')))
  expect(await ended(lease.serve(createHttp()))).toMatchObject({ code: 'INVALID' })
  expect(await serving).toMatchObject({ code: 'INVALID' })
  expect(lease.state).toBe('ended')
  expect(await broker.holders('web')).toEqual([])
})
