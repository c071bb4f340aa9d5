// A broker that has just come is asked by everybody at once, and refuses with LIMIT what is over a user's quota of that second.

import { expect, it } from 'vitest'
import type { ConnectOptions } from '../../src/client/index.ts'
import { granting, type Handler, type Request } from '../support/fake-broker.ts'
import { ended, useSdk } from '../support/sdk.ts'

const { serve, socket } = useSdk()

const LIMIT = { ok: false, code: 'LIMIT', message: 'over 20 requests a second' }

/** Refuses the first `times` of what `which` says. */
function refusing(times: number, which: (request: Request) => boolean): Handler {
  let left = times
  return (request) => (which(request) && left-- > 0 ? LIMIT : undefined)
}

/** A broker that refuses the first `times` requests of that kind. */
const serveRefusing = (wanted: string, times: number, options: ConnectOptions = {}) =>
  serve(
    granting(
      [socket('tcp')],
      refusing(times, ({ op }) => op === wanted),
    ),
    options,
  )

const isReturn = ({ op, leases }: Request) => op === 'hello' && leases !== undefined
const ops = (requests: readonly Request[]) => requests.map(({ op }) => op)

it('a lease outlives a hello that is refused when the connection was lost', async () => {
  const { broker, fake } = serve(granting([socket('tcp')], refusing(2, isReturn)))
  const lease = await broker.acquire('web', { ready: true })
  fake.dropConnections()
  expect(await lease.ready()).toMatchObject({ state: 'ready' })
  expect(lease.state).toBe('ready')
  expect(ops(fake.peers.at(-1)!.requests)).toEqual(['hello', 'reclaim', 'ready'])
  expect(fake.peers.length).toBe(4)
  await lease.release()
})

it('a lease outlives a reclaim that is refused: it is asked again on the same connection', async () => {
  const { broker, fake } = serveRefusing('reclaim', 2)
  const lease = await broker.acquire('web', { ready: true })
  fake.dropConnections()
  expect(await lease.ready()).toMatchObject({ state: 'ready' })
  expect(ops(fake.peers[1]!.requests)).toEqual(['hello', 'reclaim', 'reclaim', 'reclaim', 'ready'])
  await lease.release()
})

it('a ready that is refused is asked again, within `timeout`', async () => {
  const { broker, fake } = serveRefusing('ready', 2)
  const lease = await broker.acquire('web')
  expect(await lease.ready()).toEqual({ state: 'ready', promoted: true })
  expect(ops(fake.requests)).toEqual(['hello', 'acquire', 'ready', 'ready', 'ready'])
  await lease.release()
})

it('a ready that is refused for longer than `timeout` rejects', async () => {
  const { broker } = serveRefusing('ready', Number.POSITIVE_INFINITY, {
    timeout: 500,
  })
  const lease = await broker.acquire('web')
  expect(await ended(lease.ready())).toMatchObject({ code: 'LIMIT', message: LIMIT.message })
  await lease.release()
})

it('a release that is refused is asked again', async () => {
  const { broker, fake } = serveRefusing('release', 2)
  const lease = await broker.acquire('web')
  await lease.release()
  expect(ops(fake.requests)).toEqual(['hello', 'acquire', 'release', 'release', 'release'])
})

it('a release that was put off is asked again when it, or the reclaim before it, is refused', async () => {
  const returning = refusing(4, ({ op }) => op === 'reclaim')
  const releasing = refusing(1, ({ op }) => op === 'release')
  let reclaimed = false
  const strict: Handler = (request, peer) => {
    if (request.op === 'release' && !reclaimed) return { ok: false, code: 'DENIED', message: 'not yours' }
    const refusal = returning(request, peer) ?? releasing(request, peer)
    reclaimed ||= request.op === 'reclaim' && !refusal
    return refusal
  }
  const { broker, fake } = serve(granting([socket('tcp')], strict))
  const lease = await broker.acquire('web')
  fake.dropConnections()
  await expect.poll(() => ops(fake.requests), { interval: 5 }).toContain('reclaim')
  await lease.release()
  const [second] = fake.peers.slice(1)
  await expect.poll(() => ops(second!.requests).slice(-3)).toEqual(['reclaim', 'release', 'release'])
  expect(ops(second!.requests).filter((op) => op === 'release').length).toBe(3)
})

it('who stood in the line stands in it again', async () => {
  const web = socket('tcp')
  const later = granting(
    [web],
    refusing(2, ({ op }) => op === 'acquire'),
  )
  const { broker, fake } = serve((request, peer) => {
    const connection = fake.peers.indexOf(peer)
    if (connection > 2) return later(request, peer)
    if (request.op !== 'hello') return undefined
    return connection === 0 ? {} : LIMIT
  })
  const waiting = broker.acquire('web', { wait: Number.POSITIVE_INFINITY })
  await expect.poll(() => ops(fake.requests)).toContain('acquire')
  fake.dropConnections()
  const lease = await waiting
  expect(ops(fake.peers[3]!.requests)).toEqual(['hello', 'acquire', 'acquire', 'acquire'])
  await lease.release()
})

it('who comes for the first time is told at once', async () => {
  const { broker, fake } = serve(
    granting(
      [],
      refusing(1, ({ op }) => op === 'hello'),
    ),
  )
  expect(await ended(broker.list())).toMatchObject({ code: 'LIMIT', message: LIMIT.message })
  expect(fake.peers.length).toBe(1)
})

it('who has been here before is told when `timeout` is over', async () => {
  const { broker, fake } = serve(
    granting([], (request, peer) => (fake.peers.indexOf(peer) > 0 && request.op === 'hello' ? LIMIT : undefined)),
    { timeout: 500 },
  )
  await broker.list()
  fake.dropConnections()
  await expect.poll(() => fake.open.size).toBe(0)
  expect(await ended(broker.list())).toMatchObject({ code: 'LIMIT', message: LIMIT.message })
  expect(fake.peers.length).toBeGreaterThan(2)
})
