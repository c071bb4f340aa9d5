// After kill -9 of the broker: leases of both kinds, generations and pauses are as they were, for clients that speak the protocol.

import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Asker, type Message } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { stopCleanly, until } from '../support/daemon.ts'
import { killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { RawClient } from '../support/raw-client.ts'

forbidLeaks()

const UID = process.getuid!()
const SOCKETS = `[sockets.web]
listen = "tcp://127.0.0.1:0"
allow = ["user:${UID}"]
drain_timeout = "300ms"
[sockets.only]
listen = "unix://{dir}/only.sock"
allow = ["user:${UID}"]
mode = "exclusive"
drain_timeout = "300ms"`

async function comeBack(control: string, leases: number[] = []): Promise<Client> {
  const client = new Client(control)
  await client.ask('hello', { version: 1, leases })
  return client
}

/** Like Asker, but its hello says what the test likes. */
class Client {
  readonly raw: RawClient
  private id = 0

  constructor(control: string) {
    this.raw = new RawClient(control)
  }

  async ask(op: string, args: Message = {}): Promise<Message> {
    const { message, fds } = await this.raw.ask(++this.id, op, args)
    for (const fd of fds) fd.close()
    return message
  }

  send(op: string, args: Message = {}): number {
    this.raw.request(++this.id, op, args)
    return this.id
  }

  async next(): Promise<Message> {
    const { message, fds } = await this.raw.next()
    for (const fd of fds) fd.close()
    return message
  }
}

async function holders(control: string): Promise<Message[]> {
  const asker = await Asker.connect(control)
  const { holders } = (await asker.ask('holders')) as { holders: Message[] }
  asker.close()
  return holders.filter(({ lease }) => lease !== null)
}

it('leases that are reclaimed go on, with their ids, states and times; ids only grow', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const first = await Asker.connect(daemon.control)
  const granted = await first.lease('web', { label: 'blue' })
  const ready = await first.lease('web', { ready: true })
  const grant = await first.ask('acquire', { name: 'web' })
  const draining = grant['lease'] as number
  await first.ask('drain', { lease: draining, timeout: 20_000 })
  const before = await holders(daemon.control)
  await killBroker(daemon)
  expect(await first.client.ended()).toBe(true)
  expect(await holders(daemon.control)).toEqual(before)
  const back = await comeBack(daemon.control, [granted, ready, draining])
  for (const [lease, state] of [
    [granted, 'granted'],
    [ready, 'ready'],
    [draining, 'draining'],
  ] as const) {
    const { id: _, readyWithin, ...answer } = await back.ask('reclaim', { lease, name: 'web' })
    const { id: _id, readyWithin: _within, ...was } = grant
    expect(answer).toEqual({ ...was, lease, state })
    expect(readyWithin).toBeLessThanOrEqual(60_000)
  }
  expect(await back.next()).toMatchObject({ event: 'drain', lease: draining, reason: 'admin' })
  expect(await back.ask('ready', { lease: ready })).toMatchObject({ state: 'ready', promoted: true })
  expect(await holders(daemon.control)).toEqual(before)
  expect((await back.ask('acquire', { name: 'web' }))['lease']).toBe(draining + 1)
  back.raw.close()
  await until(
    async () => (await holders(daemon.control)).length === 0,
    'they end with the connection that reclaimed them',
  )
  await stopCleanly(daemon)
})

it('a lease that is not reclaimed within reclaim_timeout has died; so has one whose process ended meanwhile, at once', async () => {
  const daemon = await startKept({ sockets: SOCKETS, broker: 'reclaim_timeout = "2s"' })
  const own = await Asker.connect(daemon.control)
  const left = await own.lease('web')
  const gone = await acquireInChild(daemon.control)
  const start = Date.now()
  const killed = killBroker(daemon)
  gone.child.kill('SIGKILL')
  await killed
  await until(
    async () => (await holders(daemon.control)).every(({ lease }) => lease !== gone.lease),
    'the dead one ends',
  )
  expect((await holders(daemon.control)).map(({ lease }) => lease)).toEqual([left])
  await until(async () => (await holders(daemon.control)).length === 0, 'the other one ends')
  expect(Date.now() - start).toBeGreaterThan(1900)
  const back = await comeBack(daemon.control)
  expect(await back.ask('reclaim', { lease: left, name: 'web' })).toMatchObject({ code: 'ENDED', reason: 'died' })
  back.raw.close()
  await stopCleanly(daemon)
})

it('only the process of a lease reclaims it: DENIED to another, to a wrong name and of no lease, in the same words', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const { lease, child } = await acquireInChild(daemon.control)
  await killBroker(daemon)
  const stranger = await comeBack(daemon.control)
  const refusals = [
    await stranger.ask('reclaim', { lease, name: 'web' }),
    await stranger.ask('reclaim', { lease: lease + 1000, name: 'web' }),
  ]
  expect(refusals.map(({ code }) => code)).toEqual(['DENIED', 'DENIED'])
  expect(`${refusals[1]!['message']}`.replace(`${lease + 1000}`, `${lease}`)).toBe(refusals[0]!['message'])
  stranger.raw.close()
  child.kill()
  await stopCleanly(daemon)
})

it('a second reclaim takes the lease to the second connection, and the first is told that it is over', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const asker = await Asker.connect(daemon.control)
  const lease = await asker.lease('web', { ready: true })
  await killBroker(daemon)
  const first = await comeBack(daemon.control, [lease])
  const second = await comeBack(daemon.control, [lease])
  expect(await first.ask('reclaim', { lease, name: 'web' })).toMatchObject({ ok: true })
  expect(await second.ask('reclaim', { lease, name: 'web' })).toMatchObject({ ok: true })
  expect(await first.next()).toEqual({ event: 'ended', lease, reason: 'revoked' })
  expect(await first.ask('ready', { lease })).toMatchObject({ code: 'ENDED' })
  expect(await first.ask('sockets', { lease })).toMatchObject({ code: 'ENDED' })
  expect(await second.ask('sockets', { lease })).toMatchObject({ ok: true })
  first.raw.close()
  expect(await second.ask('ready', { lease })).toMatchObject({ ok: true })
  expect((await holders(daemon.control)).map((holder) => holder['lease'])).toEqual([lease])
  second.raw.close()
  await stopCleanly(daemon)
})

it('an acquire by a process that did not list its lease on that name ends that lease first', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const asker = await Asker.connect(daemon.control)
  const lost = await asker.lease('only', { ready: true })
  const kept = await asker.lease('web')
  await killBroker(daemon)
  const back = await comeBack(daemon.control, [kept])
  const { lease, state } = await back.ask('acquire', { name: 'only', ready: true })
  expect([state, (lease as number) > lost]).toEqual(['ready', true])
  expect((await holders(daemon.control)).map((holder) => holder['lease'])).toEqual([kept, lease])
  expect(await back.ask('reclaim', { lease: kept, name: 'web' })).toMatchObject({ ok: true })
  back.raw.close()
  await stopCleanly(daemon)
})

it('generations, pauses and superseded labels are as before', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const asker = await Asker.connect(daemon.control)
  await asker.lease('web', { takeover: true, generation: 'v2', ready: true })
  await asker.lease('web', { takeover: true, generation: 'v3' })
  await asker.ask('pause', { name: 'only' })
  const list = (await asker.ask('list'))['sockets'] as Message[]
  await killBroker(daemon)
  const back = await comeBack(daemon.control)
  expect((await back.ask('list'))['sockets']).toEqual(list)
  expect(await back.ask('acquire', { name: 'only' })).toMatchObject({ code: 'PAUSED' })
  expect(await back.ask('acquire', { name: 'web', generation: 'g1' })).toMatchObject({ code: 'ENDED' })
  back.raw.close()
  await stopCleanly(daemon)
})

it('a hand-over goes on: the newcomer that asks again is answered when the former holder has left', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const old = await Asker.connect(daemon.control)
  const former = await old.lease('only', { ready: true })
  const fresh = await Asker.connect(daemon.control)
  const next = await fresh.lease('only', { takeover: true })
  fresh.send('ready', { lease: next })
  await old.next()
  const waiter = await Asker.connect(daemon.control)
  waiter.send('acquire', { name: 'only', wait: -1 })
  await killBroker(daemon)
  const oldBack = await comeBack(daemon.control, [former, next])
  const freshBack = await comeBack(daemon.control, [former, next])
  expect(await oldBack.ask('reclaim', { lease: former, name: 'only' })).toMatchObject({ state: 'draining' })
  expect(await oldBack.next()).toMatchObject({ event: 'drain', lease: former, reason: 'takeover' })
  await freshBack.ask('reclaim', { lease: next, name: 'only' })
  const held = freshBack.send('ready', { lease: next })
  await sleep(100)
  expect(freshBack.raw.received.length).toBe(0)
  await oldBack.ask('release', { lease: former })
  expect(await freshBack.next()).toMatchObject({ id: held, state: 'ready', promoted: true })
  oldBack.raw.close()
  freshBack.raw.close()
  await stopCleanly(daemon)
})

interface Child {
  lease: number
  child: ChildProcess
}

/** A process of its own that takes a lease on "web" and keeps its connection. */
async function acquireInChild(control: string): Promise<Child> {
  const script = `
    const { connect } = await import('${new URL('../../dist/client/index.js', import.meta.url)}')
    const lease = await connect({ socket: ${JSON.stringify(control)}, reconnect: false }).acquire('web', { ready: true })
    console.log(lease.id)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  atEnd(() => child.kill('SIGKILL'))
  for await (const chunk of child.stdout.setEncoding('utf8')) return { lease: Number(chunk), child }
  throw new Error('the child ended')
}
