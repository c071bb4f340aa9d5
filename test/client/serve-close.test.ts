// The program closes the server that lease.serve() has: that asks for a drain at once, whoever is still connected.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttp, get } from 'node:http'
import { createServer as createHttp2, connect as dialHttp2 } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { createServer as createNet, connect as dial, type Server } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { expect, it, vi } from 'vitest'
import { connect, type Lease } from '../../src/client/index.ts'
import { atEnd } from '../support/cleanup.ts'
import { startDaemon, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SOCKETS = `
[sockets.two]
listen = ["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"]
allow = ["any"]
[sockets.dns]
listen = "udp://127.0.0.1:0"
allow = ["any"]
`

async function start() {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const broker = connect({ socket: daemon.control })
  atEnd(() => broker.close())
  return broker
}

const portsOf = ({ sockets }: Lease) => sockets.map(({ address }) => Number(address.split(':').at(-1)))

function silent(port: number): void {
  const socket = dial(port, '127.0.0.1').on('error', () => {})
  atEnd(() => socket.destroy())
}

function asking(port: number): void {
  const request = get({ host: '127.0.0.1', port, agent: false }).on('error', () => {})
  atEnd(() => request.destroy())
}

function askingHttp2(port: number): void {
  const session = dialHttp2(`http://127.0.0.1:${port}`).on('error', () => {})
  atEnd(() => session.destroy())
  session
    .request()
    .on('error', () => {})
    .end()
}

/** `begun`: the server's event when there is something under way. */
const KINDS: Record<string, { make: () => Server; visit: (port: number) => void; begun: string }> = {
  net: { make: () => createNet(), visit: silent, begun: 'connection' },
  tls: { make: () => createTls(), visit: silent, begun: 'connection' },
  http: { make: () => createHttp(), visit: asking, begun: 'request' },
  https: { make: () => createHttps(), visit: silent, begun: 'connection' },
  http2: { make: () => createHttp2(), visit: askingHttp2, begun: 'stream' },
}

it.each(Object.keys(KINDS))(
  'close() of a server drains within drainTimeout, and means what it does: %s',
  async (kind) => {
    const { make, visit, begun } = KINDS[kind]!
    const broker = await start()
    const server = make().on(begun, () => {})
    const lease = await broker.acquire('two')
    const done = lease.serve(server, { drainTimeout: 100 })
    await until(() => lease.state === 'ready', 'it serves')
    const ports = portsOf(lease)
    const begins = once(server, begun)
    visit(ports[1]!)
    await begins
    const told: unknown[] = []
    server.close((error) => told.push(error))
    server.close((error) => told.push((error as NodeJS.ErrnoException).code))
    expect(await done).toEqual({ reason: 'closed', cut: 1 })
    await until(() => told.length === 2, 'both calls are answered')
    expect(told).toEqual([undefined, 'ERR_SERVER_NOT_RUNNING'])
    expect([lease.state, Object.hasOwn(server, 'close')]).toEqual(['ended', false])
  },
)

it('close() of a datagram socket gives its lease back, and is Node’s own again', async () => {
  const broker = await start()
  const socket = createSocket('udp4')
  const lease = await broker.acquire('dns')
  const done = lease.serve(socket)
  await until(() => lease.state === 'ready', 'it serves')
  const closed = vi.fn()
  socket.close(closed)
  expect(await done).toEqual({ reason: 'closed', cut: 0 })
  expect(closed).toHaveBeenCalledOnce()
  expect(() => socket.close()).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' }))
  expect(Object.hasOwn(socket, 'close')).toBe(false)
})
