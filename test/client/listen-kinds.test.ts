import { createSocket } from 'node:dgram'
import { createServer as createHttp } from 'node:http'
import type { Server } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/client/index.ts'
import { constants as C } from '../../src/sys/addon.ts'
import { getInt, setInt } from '../../src/sys/sockopt.ts'
import { type BrokerSocket, granting, portOf } from '../support/fake-broker.ts'
import { ended, useSdk } from '../support/sdk.ts'

const { atEnd, scratch, serve, socket } = useSdk()

function leaseOn(...sockets: BrokerSocket[]): Promise<Lease> {
  return serve(granting(sockets)).broker.acquire('web')
}

function closing<S extends { close(callback: () => void): unknown }>(server: S): S {
  atEnd(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return server
}

describe('datagrams', () => {
  it('are received, with SO_REUSEADDR as the broker left it, where Node alone turns it on', async () => {
    const reuse = ({ fd }: BrokerSocket) => getInt(fd.fd, C.SOL_SOCKET, C.SO_REUSEADDR)
    const bare = socket('udp')
    const unprotected = closing(createSocket('udp4'))
    unprotected.bind({ fd: bare.fd.dup().release() })
    expect(reuse(bare)).toBe(1)

    const dns = socket('udp')
    const lease = await leaseOn(dns)
    const server = closing(createSocket('udp4'))
    await lease.listen(server)
    expect(reuse(dns)).toBe(0)
    const received = new Promise((resolve) => server.once('message', (bytes) => resolve(String(bytes))))
    const client = closing(createSocket('udp4'))
    client.send('ping', portOf(dns), '127.0.0.1')
    expect(await received).toBe('ping')
  })

  it('keep SO_REUSEADDR on where the broker has it on', async () => {
    const dns = socket('udp')
    setInt(dns.fd.fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1)
    const lease = await leaseOn(dns)
    await lease.listen(closing(createSocket('udp4')))
    expect(getInt(dns.fd.fd, C.SOL_SOCKET, C.SO_REUSEADDR)).toBe(1)
  })

  it('stop with release(), also when the program closed the socket first', async () => {
    const lease = await leaseOn(socket('udp'))
    const server = createSocket('udp4')
    await lease.listen(server)
    await new Promise<void>((resolve) => server.close(resolve))
    await lease.release()
  })
})

describe('a server that does not fit', () => {
  const misfits: [string, () => BrokerSocket[], () => Server | ReturnType<typeof createSocket>, RegExp][] = [
    ['http on udp', () => [socket('udp')], () => createHttp(), /Server cannot serve its udp socket/],
    ['dgram on tcp', () => [socket('tcp')], () => closing(createSocket('udp4')), /dgram socket cannot serve its tcp/],
    [
      'dgram on a Unix datagram socket',
      () => [socket('unix-dgram', scratch.at('d'))],
      () => closing(createSocket('udp4')),
      /cannot serve its unix-dgram/,
    ],
    ['udp6 on udp4', () => [socket('udp')], () => closing(createSocket('udp6')), /createSocket\('udp4'\)/],
    ['one dgram on two', () => [socket('udp'), socket('udp')], () => closing(createSocket('udp4')), /2 udp sockets/],
    ['an express app', () => [socket('tcp')], () => (() => {}) as unknown as Server, /http\.createServer\(app\)/],
  ]
  it.each(misfits)('is refused with INVALID: %s', async (_what, sockets, server, message) => {
    const lease = await leaseOn(...sockets())
    expect(await ended(lease.listen(server()))).toMatchObject({
      code: 'INVALID',
      message: expect.stringMatching(message),
    })
  })
})
