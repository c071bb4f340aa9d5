// The broker replaces a name's sockets while a worker has them.

import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Lease, LeaseReplaced } from '../../src/client/index.ts'
import { addon } from '../../src/sys/addon.ts'
import { endListener } from '../../src/sys/end-listener.ts'
import { type BrokerSocket, type FakeBroker, granting, portOf } from '../support/fake-broker.ts'
import { useSdk } from '../support/sdk.ts'

const sdk = useSdk()

interface Stage {
  lease: Lease
  fake: FakeBroker
  /** What there is from now on, for who asks. */
  change(next: readonly BrokerSocket[]): void
  replace(next: readonly BrokerSocket[]): Promise<unknown>
}

async function stage(first: readonly BrokerSocket[]): Promise<Stage> {
  let sockets = first
  const { fake, broker } = sdk.serve((request, peer) =>
    request.op === 'reclaim'
      ? { state: 'granted', sockets: sockets.map(({ description }) => description) }
      : granting(sockets)(request, peer),
  )
  const lease = await broker.acquire('web')
  return {
    lease,
    fake,
    change: (next) => {
      sockets = next
    },
    replace(next) {
      sockets = next
      const event = { event: 'replaced', lease: lease.id, sockets: next.map(({ description }) => description) }
      const heard = once(lease, 'replaced')
      for (const peer of fake.open)
        peer.send(
          event,
          next.map(({ fd }) => fd),
        )
      return heard
    },
  }
}

const server = () => http.createServer((_request, response) => response.end('here'))

async function get(port: number, host = '127.0.0.1'): Promise<string> {
  const [response] = (await once(http.get({ host, port, agent: false }), 'response')) as [http.IncomingMessage]
  let body = ''
  for await (const chunk of response) body += chunk
  return body
}

/** As a broker describes them, which has one address: the former are accepted from until nobody has come for 2 s. */
function sameAddress([first, ...others]: readonly BrokerSocket[]): void {
  for (const { description } of others) Object.assign(description, { address: first!.description.address })
}

/** Clients whose connections wait in the queue of a listener. */
async function queue(port: number, count: number): Promise<() => Promise<string[]>> {
  const sockets = Array.from({ length: count }, () => net.connect({ host: '127.0.0.1', port }))
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  return () =>
    Promise.all(
      sockets.map(async (socket) => {
        socket.write('GET / HTTP/1.0\r\n\r\n')
        let text = ''
        for await (const chunk of socket) text += chunk
        return text.slice(-4)
      }),
    )
}

it.each([
  ['listen()', (lease: Lease, http: http.Server) => lease.listen(http)],
  [
    'server.listen(lease)',
    async (lease: Lease, http: http.Server) => void (await once(http.listen(lease), 'listening')),
  ],
])('a server of %s answers on the new socket, and whoever queued at the old one', async (_how, listen) => {
  const [old, next] = [sdk.socket('tcp'), sdk.socket('tcp')]
  const ports = [portOf(old), portOf(next)] as const
  sameAddress([old, next])
  const { lease, replace } = await stage([old])
  const main = server()
  await listen(lease, main)
  expect(await get(ports[0])).toBe('here')
  const told = replace([next])
  const early = await queue(ports[0], 20)
  await told
  expect(await get(ports[1])).toBe('here')
  expect(await early()).toEqual(new Array(20).fill('here'))
  expect(lease.sockets[0]!.cookie).toBe(next.description.cookie)
  // Connections that come to the old one late, then many times in turn with the new one.
  for (let i = 0; i < 5; i++) {
    const late = await queue(ports[0], 3)
    expect(await get(ports[1])).toBe('here')
    expect(await late()).toEqual(['here', 'here', 'here'])
  }
  const { port } = main.address() as net.AddressInfo
  expect(port).toBe(ports[1])
  main.close()
  await lease.release()
})

it('the end of the old listener is no error of the server', async () => {
  const [old, next] = [sdk.socket('tcp'), sdk.socket('tcp')]
  const { lease, replace } = await stage([old])
  const main = server()
  const errors: unknown[] = []
  main.on('error', (error) => errors.push(error))
  await lease.listen(main)
  await replace([next])
  endListener(old.fd.fd)
  await sleep(50)
  expect(errors).toEqual([])
  expect(await get(portOf(next))).toBe('here')
  await lease.release()
})

it('one replacement after another serves every queue', async () => {
  const sockets = Array.from({ length: 6 }, () => sdk.socket('tcp'))
  const ports = sockets.map(portOf)
  sameAddress(sockets)
  const { lease, replace } = await stage([sockets[0]!])
  await lease.listen(server())
  for (const next of sockets.slice(1)) await replace([next])
  for (const port of ports) expect(await get(port)).toBe('here')
  await lease.release()
})

it('sockets come and go behind one server', async () => {
  const [a, b, c] = [sdk.socket('tcp'), sdk.socket('tcp'), sdk.socket('tcp')]
  const { lease, replace } = await stage([a])
  const main = server()
  await lease.listen(main)
  await replace([a, b, c])
  for (const each of [a, b, c]) expect(await get(portOf(each))).toBe('here')
  await replace([c, b])
  for (const each of [b, c]) expect(await get(portOf(each))).toBe('here')
  expect(main.listening).toBe(true)
  await replace([a, b])
  for (const each of [a, b]) expect(await get(portOf(each))).toBe('here')
  main.close()
  await lease.release()
})

it('a datagram socket reads the new socket, and what waited at the old one', async () => {
  const [old, next] = [sdk.socket('udp'), sdk.socket('udp')]
  const { lease, replace } = await stage([old])
  const main = dgram.createSocket('udp4')
  const heard: string[] = []
  main.on('message', (message) => heard.push(String(message)))
  await lease.listen(main)
  const client = dgram.createSocket('udp4')
  const say = (text: string, to: BrokerSocket) => client.send(text, portOf(to), '127.0.0.1')
  const told = replace([next])
  say('old', old)
  await told
  say('new', next)
  for (let i = 0; i < 100 && heard.length < 2; i++) await sleep(10)
  expect(heard.sort()).toEqual(['new', 'old'])
  client.close()
  main.close()
  await lease.release()
})

it('after take() the event brings the new descriptors, which are the listener’s', async () => {
  const [old, next] = [sdk.socket('tcp'), sdk.socket('tcp')]
  const { lease, replace } = await stage([old])
  for (const fd of lease.take()) addon.close(fd)
  const [event] = (await replace([next])) as [LeaseReplaced]
  expect(event.fds).toHaveLength(1)
  for (const fd of event.fds!) addon.close(fd)
  await lease.release()
})

it('before anything listens, the lease simply has the new sockets', async () => {
  const [old, next] = [sdk.socket('tcp'), sdk.socket('tcp')]
  const { lease, replace } = await stage([old])
  await replace([next])
  await lease.listen(server())
  expect(await get(portOf(next))).toBe('here')
  await lease.release()
})

describe('an event in parts', () => {
  const part = (lease: Lease, number: number, { description }: BrokerSocket) => ({
    event: 'replaced',
    lease: lease.id,
    part: number,
    parts: 2,
    sockets: [description],
  })

  it('is taken when it is whole, whatever else comes between', async () => {
    const [old, a, b] = [sdk.socket('tcp'), sdk.socket('tcp'), sdk.socket('tcp')]
    const { lease, fake } = await stage([old])
    await lease.listen(server())
    const heard = once(lease, 'replaced')
    const [peer] = fake.peers
    peer!.send(part(lease, 1, a), [a.fd])
    peer!.send({ event: 'drain', lease: lease.id, reason: 'admin', deadline: Date.now() + 60_000 })
    peer!.send(part(lease, 2, b), [b.fd])
    await heard
    expect(lease.state).toBe('draining')
    for (const each of [a, b]) expect(await get(portOf(each))).toBe('here')
    await lease.release()
  })

  it('of a broker that died before the last one is forgotten: the next broker is asked', async () => {
    const [old, next] = [sdk.socket('tcp'), sdk.socket('tcp')]
    const { lease, fake, change } = await stage([old])
    await lease.listen(server())
    fake.peers[0]!.send(part(lease, 1, next), [next.fd])
    change([next])
    const heard = once(lease, 'replaced')
    fake.dropConnections()
    await heard
    expect(lease.state).toBe('granted')
    expect(await get(portOf(next))).toBe('here')
    await lease.release()
  })

  it('that has an impossible number is against the protocol', async () => {
    const [old, next] = [sdk.socket('tcp'), sdk.socket('tcp')]
    const { lease, fake } = await stage([old])
    const ended = once(lease, 'ended')
    for (let i = 0; i < 2; i++) fake.peers[0]!.send(part(lease, 1, next), [next.fd])
    expect(await ended).toEqual([{ reason: 'lost' }])
  })
})

function hearWarnings(): string[] {
  const warnings: string[] = []
  const hear = ({ message }: Error) => void warnings.push(message)
  process.on('warning', hear)
  sdk.atEnd(() => process.off('warning', hear))
  return warnings
}

it('a descriptor that is not the socket which the event says is not taken: the broker is asked', async () => {
  const [old, next, wrong] = [sdk.socket('tcp'), sdk.socket('tcp'), sdk.socket('tcp')]
  const { lease, fake, change } = await stage([old])
  const [warnings, heard] = [hearWarnings(), once(lease, 'replaced')]
  change([next])
  fake.peers[0]!.send({ event: 'replaced', lease: lease.id, sockets: [next.description] }, [wrong.fd])
  await heard
  expect(lease.sockets).toEqual([next.description])
  expect(warnings).toEqual([expect.stringMatching(/^fd-broker: the new sockets of web .*SO_COOKIE/)])
  await lease.release()
})

describe('a socket that the server cannot serve', () => {
  const odd: [string, () => BrokerSocket, RegExp][] = [
    ['udp', () => sdk.socket('udp'), /has got udp:.* a Server cannot serve its udp socket .*name of its own$/],
    [
      'unix-dgram',
      () => sdk.socket('unix-dgram', sdk.scratch.at('d')),
      /has got unix-dgram:.* a Server cannot serve its unix-dgram socket .*name of its own$/,
    ],
  ]
  it.each(odd)(
    'is left out of an HTTP server, with a warning, and the others are served: %s',
    async (_k, make, words) => {
      const [a, b, misfit] = [sdk.socket('tcp'), sdk.socket('tcp'), make()]
      const { lease, replace } = await stage([a])
      const main = server()
      await lease.listen(main)
      const warnings = hearWarnings()
      await replace([misfit, a, b])
      for (const each of [a, b]) expect(await get(portOf(each))).toBe('here')
      expect(warnings).toEqual([expect.stringMatching(words)])
      await replace([b, misfit])
      expect(await get(portOf(b))).toBe('here')
      await replace([misfit])
      expect([main.listening, warnings.length]).toEqual([true, 1])
      await replace([a])
      expect(await get(portOf(a))).toBe('here')
      await lease.release()
    },
  )

  it('is left out of a datagram socket, which goes on with its own, wherever that stands', async () => {
    const [old, next, tcp, six] = [sdk.socket('udp'), sdk.socket('udp'), sdk.socket('tcp'), sdk.socket('udp', '::1')]
    const { lease, replace } = await stage([old])
    const main = dgram.createSocket('udp4')
    await lease.listen(main)
    const warnings = hearWarnings()
    await replace([tcp, six, old])
    await replace([tcp, six, next])
    const heard = once(main, 'message')
    const client = dgram.createSocket('udp4')
    client.send('new', portOf(next), '127.0.0.1')
    expect(String((await heard)[0])).toBe('new')
    expect(warnings).toEqual([
      expect.stringMatching(/has got tcp:.*a node:dgram socket cannot serve its tcp socket/),
      expect.stringMatching(/has got udp:\/\/\[::1\].*a udp4 socket cannot serve/),
    ])
    client.close()
    main.close()
    await lease.release()
  })

  it('is left out of a datagram socket also when it is a second one of its kind', async () => {
    const [first, second] = [sdk.socket('udp'), sdk.socket('udp')]
    const { lease, replace } = await stage([first])
    const main = dgram.createSocket('udp4')
    await lease.listen(main)
    const warnings = hearWarnings()
    await replace([first, second])
    expect(warnings).toEqual([expect.stringMatching(/has got udp:.*reads one socket; it needs a name of its own$/)])
    main.close()
    await lease.release()
  })

  it('gives a datagram socket that loses its own the other one, and its successors', async () => {
    const [own, other, next] = [sdk.socket('udp'), sdk.socket('udp'), sdk.socket('udp')]
    const { lease, replace } = await stage([own])
    const main = dgram.createSocket('udp4')
    const heard: string[] = []
    main.on('message', (bytes) => heard.push(String(bytes)))
    await lease.listen(main)
    const client = dgram.createSocket('udp4')
    const told = async (what: string, to: BrokerSocket) => {
      client.send(what, portOf(to), '127.0.0.1')
      for (let i = 0; i < 100 && heard.at(-1) !== what; i++) await sleep(10)
      return heard
    }
    await replace([own, other])
    await replace([other])
    expect(await told('other', other)).toEqual(['other'])
    await replace([next])
    expect(await told('next', next)).toEqual(['other', 'next'])
    client.close()
    main.close()
    await lease.release()
  })

  it('leaves a datagram socket on nothing when it comes instead of its own', async () => {
    const [udp, tcp] = [sdk.socket('udp'), sdk.socket('tcp')]
    const { lease, replace } = await stage([udp])
    const main = dgram.createSocket('udp4')
    await lease.listen(main)
    await replace([tcp])
    expect(main.address().port).toBe(0)
    main.close()
    await lease.release()
  })
})
