// What asks for a lease, and gives it back, while the broker is away or says nothing: each has an end.

import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type ConnectOptions, connect } from '../../src/client/index.ts'
import { runChild } from '../support/child.ts'
import { until } from '../support/daemon.ts'
import { FakeBroker, granting, type Handler, type Request } from '../support/fake-broker.ts'
import { ended, useSdk } from '../support/sdk.ts'

const { atEnd, scratch, serve, socket } = useSdk()

const EXCLUSIVE: Handler = (request, peer) =>
  request.op === 'acquire' ? peer.grant(request, [socket('tcp')], { mode: 'exclusive' }) : undefined
const SHARED: Handler = (request, peer) =>
  request.op === 'acquire' ? peer.grant(request, [socket('tcp')], { mode: 'shared' }) : undefined
const MODES = { exclusive: EXCLUSIVE, shared: SHARED } as const

/** A broker that has a lease of this process and goes away; `comeBack` starts the next one. */
async function leftAlone(options: ConnectOptions = {}, handler: Handler = granting([], SHARED, ['acquire'])) {
  const fake = new FakeBroker(scratch.at('control.sock'), handler)
  const broker = connect({ socket: fake.path, ...options })
  atEnd(() => broker.close())
  const lease = await broker.acquire('web')
  fake.close()
  await until(() => fake.open.size === 0, 'it is gone')
  const comeBack = (next: Handler = handler) => {
    rmSync(fake.path)
    const successor = new FakeBroker(fake.path, next)
    atEnd(() => successor.close())
    return successor
  }
  return { broker, lease, comeBack }
}

const ops = (requests: readonly Request[]) => requests.map(({ op }) => op)

describe('ready() while the broker is away', () => {
  it.each(['exclusive', 'shared'] as const)('rejects after `timeout`, and works when it is back: %s', async (mode) => {
    const { lease, comeBack } = await leftAlone({ timeout: 500 }, granting([], MODES[mode], ['acquire']))
    expect(await ended(lease.ready())).toMatchObject({
      code: 'CLOSED',
      message: expect.stringMatching(/^no broker listens at .*ECONNREFUSED, tried for 500 ms.*fd-broker serve/),
    })
    const next = comeBack()
    await expect.poll(() => ops(next.requests)).toContain('reclaim')
    expect(await lease.ready()).toEqual({ state: 'ready', promoted: true })
    expect(ops(next.requests)).toEqual(['hello', 'reclaim', 'ready'])
    await lease.release()
  })

  it('is bounded anew each time: a held one that was asked waits only while nobody is there', async () => {
    const { broker, fake } = serve(granting([], EXCLUSIVE, ['acquire', 'ready']), { timeout: 500 })
    const lease = await broker.acquire('web')
    const ready = ended(lease.ready())
    await expect.poll(() => ops(fake.requests).at(-1)).toBe('ready')
    fake.close()
    expect(await ready).toMatchObject({ code: 'CLOSED', message: expect.stringContaining('tried for 500 ms') })
    await lease.release()
  })

  it('says so when a broker takes the connection and does not answer', async () => {
    const { lease, comeBack } = await leftAlone({ timeout: 500 })
    comeBack(() => undefined)
    expect(await ended(lease.ready())).toMatchObject({
      code: 'CLOSED',
      message: expect.stringContaining('did not answer reclaim within'),
    })
    await lease.release()
  })

  it('ends serve(), which gives the lease back', async () => {
    const { lease } = await leftAlone({ timeout: 500 })
    expect(await ended(lease.serve(createServer()))).toMatchObject({ code: 'CLOSED' })
    expect(lease.state).toBe('ended')
  })

  it('rejects with ENDED when the lease is released', async () => {
    const { lease } = await leftAlone({ timeout: 60_000 })
    const ready = ended(lease.ready())
    await lease.release()
    expect(await ready).toMatchObject({ code: 'ENDED', message: expect.stringContaining('over (released)') })
  })

  it('rejects with CLOSED when the Broker is closed', async () => {
    const { broker, lease } = await leftAlone({ timeout: 60_000 })
    const ready = ended(lease.ready())
    await broker.close()
    expect(await ready).toMatchObject({ code: 'CLOSED', message: expect.stringContaining('this Broker was closed') })
  })

  it.each([
    ['lease.release', 'ENDED'],
    ['broker.close', 'CLOSED'],
  ])('does not keep a process that has called %s()', async (call, code) => {
    const { fake } = serve((request, peer) => {
      if (request.op === 'list') setImmediate(() => fake.close())
      return granting([], SHARED, ['acquire', 'list'])(request, peer)
    })
    const script = `
    const lease = await broker.acquire('web')
    await connect({ timeout: 500 }).list().catch(() => {})
    lease.ready().catch(({ code }) => console.log(code))
    await ${call}()`
    const result = await runChild(script, { directory: scratch.path, socket: fake.path })
    expect(result).toEqual({ code: 0, stdout: `${code}\n`, stderr: '' })
  })
})

describe('ready() that a broker does not answer', () => {
  it('rejects after `timeout` where the name is shared, and may be asked again', async () => {
    let answers = false
    const { broker } = serve(
      (request, peer) => granting([], SHARED, answers ? ['acquire'] : ['acquire', 'ready', 'sockets'])(request, peer),
      {
        timeout: 500,
      },
    )
    const lease = await broker.acquire('web')
    expect(await ended(lease.ready())).toMatchObject({
      code: 'CLOSED',
      message: expect.stringContaining('did not answer ready within'),
    })
    answers = true
    expect(await lease.ready()).toEqual({ state: 'ready', promoted: true })
    await lease.release()
  })

  it('waits where the name has become exclusive since: the broker answers something else', async () => {
    let answer: (() => void) | undefined
    const held: Handler = (request, peer) => {
      if (request.op === 'ready') answer = () => peer.send({ id: request.id, ok: true, state: 'ready', promoted: true })
      return SHARED(request, peer)
    }
    const { broker, fake } = serve(granting([], held, ['acquire', 'ready']), { timeout: 500 })
    const lease = await broker.acquire('web')
    const ready = lease.ready()
    await expect.poll(() => ops(fake.requests)).toEqual(['hello', 'acquire', 'ready', 'sockets', 'ready'])
    answer!()
    expect(await ready).toEqual({ state: 'ready', promoted: true })
    await lease.release()
  })

  it('waits where the name is exclusive: the former holder may take as long as it may', async () => {
    const answers: (() => void)[] = []
    const held: Handler = (request, peer) => {
      if (request.op === 'ready')
        answers.push(() => peer.send({ id: request.id, ok: true, state: 'ready', promoted: true }))
      return EXCLUSIVE(request, peer)
    }
    const { broker } = serve(granting([], held, ['acquire', 'ready']), { timeout: 500 })
    const lease = await broker.acquire('web')
    const ready = lease.ready()
    expect(await ended(lease.ready({ signal: AbortSignal.timeout(700) }))).toMatchObject({ name: 'TimeoutError' })
    for (const answer of answers) answer()
    expect(await ready).toEqual({ state: 'ready', promoted: true })
    await lease.release()
  })

  it('rejects with ENDED when the lease is released, though nobody answers', async () => {
    const { broker, fake } = serve(granting([], EXCLUSIVE, ['acquire', 'ready', 'release']), { timeout: 500 })
    const lease = await broker.acquire('web')
    const ready = ended(lease.ready())
    await expect.poll(() => ops(fake.requests).at(-1)).toBe('ready')
    await lease.release()
    expect(await ready).toMatchObject({ code: 'ENDED' })
  })
})

describe('release()', () => {
  it.each(['Infinity', '3e9'])(
    'keeps the process alive until the broker has answered, with a timeout of %s, too',
    async (timeout) => {
      const { fake } = serve(granting([], SHARED, ['acquire']))
      const script = `
    const lease = await connect({ timeout: ${timeout} }).acquire('web')
    await lease.release()
    console.log('over')`
      const result = await runChild(script, { directory: scratch.path, socket: fake.path })
      expect(result).toEqual({ code: 0, stdout: 'over\n', stderr: '' })
    },
  )
})

describe('release() that a broker does not answer', () => {
  it('is given back all the same; the next broker is told', async () => {
    const { broker, fake } = serve(granting([], SHARED, ['acquire', 'release']), { timeout: 500 })
    const lease = await broker.acquire('web')
    await lease.release()
    expect(ops(fake.requests)).toEqual(['hello', 'acquire', 'release'])
    fake.dropConnections()
    await expect.poll(() => ops(fake.peers.at(-1)!.requests)).toEqual(['hello', 'reclaim', 'release'])
  })

  it('is over when the answer comes late: the next broker hears nothing of it', async () => {
    let late: () => void = () => {}
    const slow: Handler = (request, peer) => {
      if (request.op === 'release') late = () => peer.send({ id: request.id, ok: true })
      return SHARED(request, peer)
    }
    const { broker, fake } = serve(granting([], slow, ['acquire', 'release']), { timeout: 500 })
    const lease = await broker.acquire('web')
    await lease.release()
    late()
    await broker.list()
    fake.dropConnections()
    await expect.poll(() => fake.open.size).toBe(0)
    await broker.list()
    expect(ops(fake.peers.at(-1)!.requests)).toEqual(['hello', 'list'])
  })

  it('does not wait for a broker that has not yet answered the reclaim', async () => {
    const { lease, comeBack } = await leftAlone({ timeout: 60_000 })
    const next = comeBack(granting([], undefined, ['reclaim', 'release']))
    await expect.poll(() => ops(next.requests)).toEqual(['hello', 'reclaim'])
    await lease.release()
    await expect.poll(() => ops(next.requests)).toEqual(['hello', 'reclaim', 'release'])
  })

  it('is told before this process acquires again', async () => {
    const { broker, lease, comeBack } = await leftAlone()
    await lease.release()
    const again = broker.acquire('web')
    const next = comeBack()
    await (await again).release()
    expect(ops(next.requests)).toEqual(['hello', 'reclaim', 'release', 'acquire', 'release'])
  })

  it('does not make serve() reject that has drained', async () => {
    const { broker } = serve(granting([], SHARED, ['acquire', 'release']), { timeout: 500 })
    const lease = await broker.acquire('web')
    const stop = new AbortController()
    const served = lease.serve(createServer(), { signal: stop.signal })
    await until(() => lease.state === 'ready', 'it serves')
    stop.abort()
    expect(await served).toEqual({ reason: 'aborted', cut: 0 })
  })
})
