// After kill -9 of the broker a worker of the SDK goes on: it is the same lease, unasked.

import { createServer, get } from 'node:http'
import { expect, it } from 'vitest'
import { connect, type Lease } from '../../src/client/index.ts'
import { Asker, type Message } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, stopCleanly, until } from '../support/daemon.ts'
import { killBroker, socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const UID = process.getuid!()
const SOCKETS = `[sockets.web]
listen = "tcp://127.0.0.1:0"
allow = ["user:${UID}"]
drain_timeout = "2s"
[sockets.only]
listen = "tcp://127.0.0.1:0"
allow = ["user:${UID}"]
mode = "exclusive"
drain_timeout = "2s"`

async function holders(daemon: Daemon): Promise<Message[]> {
  const asker = await Asker.connect(daemon.control)
  const { holders } = (await asker.ask('holders')) as { holders: Message[] }
  asker.close()
  return holders.filter(({ lease }) => lease !== null)
}

function client(daemon: Daemon) {
  const broker = connect({ socket: daemon.control })
  atEnd(() => broker.close())
  return broker
}

function answer(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', agent: false }, (response) => {
      response.setEncoding('utf8').on('data', resolve)
    }).on('error', reject)
  })
}

it('serve() does not notice; drain and release reach the next broker', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const [web] = await socketsOf(daemon, 'web')
  const broker = client(daemon)
  const lease = await broker.acquire('web')
  const events: unknown[] = []
  lease.on('ended', (event) => events.push(event))
  const served = lease.serve(createServer((_request, response) => response.end('here')))
  await until(() => lease.state === 'ready', 'it serves')
  const before = await holders(daemon)
  for (let times = 0; times < 3; times++) {
    await killBroker(daemon)
    expect(await answer(Number(web!.address.split(':').at(-1)))).toBe('here')
    expect(await holders(daemon)).toEqual(before)
  }
  const admin = client(daemon)
  await admin.drain({ lease: lease.id })
  expect(await served).toMatchObject({ reason: 'admin', cut: 0 })
  expect(events).toEqual([])
  expect(await holders(daemon)).toEqual([])
  await broker.close()
  await admin.close()
  await stopCleanly(daemon)
})

it('a standby and a held ready are asked again; who waited longer is not forgotten', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const [old, fresh, standby] = [client(daemon), client(daemon), client(daemon)]
  const former = await old.acquire('only')
  await former.ready()
  const drained = new Promise((resolve) => former.once('drain', resolve))
  const next = await fresh.acquire('only', { takeover: true })
  const ready = next.ready()
  expect(await drained).toMatchObject({ reason: 'takeover' })
  const waiting = standby.acquire('only', { wait: Number.POSITIVE_INFINITY })
  await killBroker(daemon)
  await until(async () => (await listed(daemon))['waiting'] === 1, 'the standby waits again')
  expect(await listed(daemon)).toMatchObject({ state: 'handing-over' })
  await former.release()
  expect(await ready).toEqual({ state: 'ready', promoted: true })
  await next.release()
  expect((await waiting).state).toBe('granted')
  for (const broker of [old, fresh, standby]) await broker.close()
  await stopCleanly(daemon)
})

it('two clients of one process keep what each has, whichever comes back first', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const [first, second] = [client(daemon), client(daemon)]
  const lease = await first.acquire('web', { ready: true })
  await second.list()
  await killBroker(daemon)
  const other = await second.acquire('web')
  await until(async () => (await holders(daemon)).length === 2, 'both have a lease')
  expect((await holders(daemon)).map((holder) => holder['lease'])).toEqual([lease.id, other.id])
  await first.close()
  await second.close()
  await stopCleanly(daemon)
})

it('a release while no broker is there is told to the next one', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const broker = client(daemon)
  const lease = await broker.acquire('only', { ready: true })
  const killed = killBroker(daemon)
  await until(() => daemon.logs().some(({ by }) => by === 'signal 9'), 'it is dead')
  await lease.release()
  await killed
  await until(async () => (await holders(daemon)).length === 0, 'the lease is given back')
  await broker.close()
  await stopCleanly(daemon)
})

it('leases that are more than the requests of a second come back, one second after the other', async () => {
  const broker = `max_requests_per_uid = 6\nadmins = ["user:4242"]`
  const daemon = await startKept({ sockets: SOCKETS, broker })
  const workers = client(daemon)
  const leases: Lease[] = []
  const ends: unknown[] = []
  await until(async () => {
    const lease = await workers.acquire('web', { ready: true }).catch(() => undefined)
    lease?.on('ended', (end) => ends.push(end))
    if (lease) leases.push(lease)
    return leases.length === 9
  }, 'there are as many leases')
  await killBroker(daemon)
  const ready = await Promise.all(leases.map((lease) => lease.ready()))
  expect(ready.map(({ state }) => state)).toEqual(Array(9).fill('ready'))
  expect(ends).toEqual([])
  await workers.close()
  await stopCleanly(daemon)
})

async function listed(daemon: Daemon): Promise<Message> {
  const asker = await Asker.connect(daemon.control)
  const { sockets } = (await asker.ask('list')) as { sockets: Message[] }
  asker.close()
  return sockets.find(({ name }) => name === 'only')!
}
