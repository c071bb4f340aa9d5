// events() subscribes again for as long as that takes, whatever stands in its way; only what no patience helps against ends it.

import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Connection } from '../../src/client/connection.ts'
import type { Broker } from '../../src/client/index.ts'
import { FakeBroker, granting, type Handler } from '../support/fake-broker.ts'
import { ended, useSdk } from '../support/sdk.ts'

const { atEnd, serve, socket } = useSdk()

afterEach(() => void vi.restoreAllMocks())

const refusing =
  (op: string, code: string): Handler =>
  (request) =>
    request.op === op ? { ok: false, code, message: 'no' } : undefined

/** Reads, and has lost the broker that it read from; another at the same path is the caller's to make. */
async function bereft(broker: Broker, fake: FakeBroker, options = {}) {
  const events = broker.events(options)
  const next = events.next()
  next.catch(() => {})
  const subscribed = () => fake.requests.some(({ op }) => op === 'events')
  await expect.poll(subscribed).toBe(true)
  fake.peers[0]!.send({ event: 'granted', at: 1 })
  expect(await next).toMatchObject({ value: { event: 'granted' } })
  fake.close()
  rmSync(fake.path, { force: true })
  return events
}

const asked = (fake: FakeBroker, op: string) => fake.requests.filter((request) => request.op === op).length

describe('events() goes on', () => {
  it('when the next broker does not answer at first', async () => {
    const { broker, fake } = serve(granting([]), { timeout: 100 })
    const events = await bereft(broker, fake)
    let mute = true
    const next = new FakeBroker(fake.path, (request, peer) => (mute ? undefined : granting([])(request, peer)))
    atEnd(() => next.close())
    const back = events.next()
    await expect.poll(() => asked(next, 'events')).toBeGreaterThan(1)
    mute = false
    expect(await back).toMatchObject({ value: { event: 'reconnected' } })
    expect(next.open.size).toBe(1)
    await events.return(undefined)
  })

  it('when something else has the path for a while', async () => {
    const { broker, fake } = serve(granting([]), { timeout: 100 })
    const events = await bereft(broker, fake)
    const stranger = createServer().listen(fake.path)
    const attempts = vi.spyOn(Connection, 'open')
    const back = events.next()
    await expect.poll(() => attempts.mock.results.filter(({ type }) => type === 'throw').length).toBeGreaterThan(2)
    await new Promise((resolve) => stranger.close(resolve))
    rmSync(fake.path, { force: true })
    const next = new FakeBroker(fake.path, granting([]))
    atEnd(() => next.close())
    expect(await back).toMatchObject({ value: { event: 'reconnected' } })
    await events.return(undefined)
  })

  it.each(['LIMIT', 'BUSY', 'SYSTEM', 'CLOSED', 'INVALID'])('when the next broker says %s at first', async (code) => {
    const { broker, fake } = serve(granting([]), { timeout: 2000 })
    const events = await bereft(broker, fake)
    let refusals = 0
    const refuse: Handler = (request, peer) =>
      request.op === 'events' && ++refusals < 3 ? refusing('events', code)(request, peer) : undefined
    const next = new FakeBroker(fake.path, granting([], refuse))
    atEnd(() => next.close())
    expect(await events.next()).toMatchObject({ value: { event: 'reconnected' } })
    expect(refusals).toBe(3)
    await events.return(undefined)
  })
})

describe('events() ends', () => {
  it.each([
    ['DENIED', 'events'],
    ['UNSUPPORTED', 'events'],
    ['VERSION', 'hello'],
    ['DENIED', 'hello'],
  ])('with %s to %s', async (code, op) => {
    const { broker, fake } = serve(granting([]), { timeout: 2000 })
    const events = await bereft(broker, fake)
    const next = new FakeBroker(fake.path, granting([], refusing(op, code)))
    atEnd(() => next.close())
    expect(await ended(events.next())).toMatchObject({ code })
  })

  it.each(['close', 'abort'])('by %s while it waits for an answer', async (how) => {
    const { broker, fake } = serve(granting([]), { timeout: 60_000 })
    const abort = new AbortController()
    const events = await bereft(broker, fake, { signal: abort.signal })
    const next = new FakeBroker(fake.path, () => undefined)
    atEnd(() => next.close())
    const back = ended(events.next())
    await expect.poll(() => asked(next, 'events')).toBe(1)
    if (how === 'close') await broker.close()
    else abort.abort(new Error('enough'))
    expect(await back).toMatchObject(how === 'close' ? { code: 'CLOSED' } : { message: 'enough' })
  })

  it.each(['close', 'abort'])('by %s while the path is another’s', async (how) => {
    const { broker, fake } = serve(granting([]), { timeout: 100 })
    const abort = new AbortController()
    const events = await bereft(broker, fake, { signal: abort.signal })
    const stranger = createServer().listen(fake.path)
    atEnd(() => new Promise((resolve) => stranger.close(resolve)))
    const attempts = vi.spyOn(Connection, 'open')
    const back = ended(events.next())
    await expect.poll(() => attempts.mock.calls.length).toBeGreaterThan(1)
    if (how === 'close') await broker.close()
    else abort.abort(new Error('enough'))
    expect(await back).toMatchObject(how === 'close' ? { code: 'CLOSED' } : { message: 'enough' })
  })

  it('when the connection is lost and `reconnect` is false', async () => {
    const { broker, fake } = serve(granting([]), { reconnect: false })
    const events = await bereft(broker, fake)
    expect(await ended(events.next())).toMatchObject({ code: 'CLOSED' })
  })

  it('at the first subscription by whatever goes wrong', async () => {
    const { broker } = serve(granting([], undefined, ['events']), { timeout: 100 })
    expect(await ended(broker.events().next())).toMatchObject({
      code: 'CLOSED',
      message: expect.stringContaining('did not answer events'),
    })
  })
})

describe.each([null, 0, '', false, undefined])('a signal that aborts with %j', (reason) => {
  const abortsWith = async (run: (signal: AbortSignal) => Promise<unknown>, begun: () => unknown) => {
    const abort = new AbortController()
    const over = run(abort.signal).then(
      () => ({ resolved: true }),
      (error: unknown) => ({ error }),
    )
    await expect.poll(begun).toBeTruthy()
    abort.abort(reason)
    expect(await over).toEqual({ error: abort.signal.reason })
    expect(await ended(run(abort.signal))).toEqual(abort.signal.reason)
  }

  it('ends events()', async () => {
    const { broker, fake } = serve(granting([]))
    await abortsWith(
      (signal) => broker.events({ signal }).next(),
      () => asked(fake, 'events'),
    )
  })

  it('ends acquire()', async () => {
    const { broker, fake } = serve(granting([], undefined, ['acquire']))
    await abortsWith(
      (signal) => broker.acquire('web', { wait: 60_000, signal }),
      () => asked(fake, 'acquire'),
    )
  })

  it('ends list()', async () => {
    const { broker, fake } = serve(granting([], undefined, ['list']))
    await abortsWith(
      (signal) => broker.list({ signal }),
      () => asked(fake, 'list'),
    )
  })

  it('ends ready(), and serve() before it serves', async () => {
    const { broker, fake } = serve(granting([socket('tcp')], undefined, ['ready']))
    const lease = await broker.acquire('web')
    await abortsWith(
      (signal) => lease.ready({ signal }),
      () => asked(fake, 'ready'),
    )
    const abort = new AbortController()
    const over = lease.serve(createServer(), { signal: abort.signal }).then(
      () => ({ resolved: true }),
      (error: unknown) => ({ error }),
    )
    await expect.poll(() => asked(fake, 'ready')).toBe(2)
    abort.abort(reason)
    expect(await over).toEqual({ error: abort.signal.reason })
  })
})
