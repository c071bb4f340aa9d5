import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { type AcquireOptions, type ConnectOptions, connect, type ServeOptions } from '../../src/client/index.ts'
import { type FakePeer, granting, type Request } from '../support/fake-broker.ts'
import { leakedSince, openFds } from '../support/leaks.ts'
import { ended, useSdk } from '../support/sdk.ts'

const { scratch, serve, socket } = useSdk()

describe('acquire', () => {
  it('gives a lease whose descriptors are the sockets announced', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web]))
    const lease = await broker.acquire('web', { label: 'test', generation: 'g1' })
    expect(lease).toMatchObject({ name: 'web', generation: 'g1', state: 'granted', readyWithin: 60_000 })
    expect(lease.sockets).toEqual([web.description])
    expect(fake.requests.map(({ op }) => op)).toEqual(['hello', 'acquire'])
    expect(fake.requests[1]).toMatchObject({ name: 'web', label: 'test', generation: 'g1', wait: 0 })
    expect(await lease.ready()).toEqual({ state: 'ready', promoted: true })
    expect(lease.state).toBe('ready')
    await lease.release()
    expect(lease.state).toBe('ended')
    expect(fake.requests.at(-1)).toMatchObject({ op: 'release', lease: lease.id })
  })

  it('joins a grant that comes in parts, descriptors in order', async () => {
    const all = [socket('tcp'), socket('udp'), socket('unix', scratch.at('s'))]
    const { broker } = serve(
      granting(
        all,
        (request, peer) => {
          if (request.op === 'acquire') {
            for (const [at, one] of all.entries()) peer.grant(request, [one], { part: at + 1, parts: all.length })
          }
          return undefined
        },
        ['acquire'],
      ),
    )
    const lease = await broker.acquire('web')
    expect(lease.sockets).toEqual(all.map(({ description }) => description))
    await lease.release()
  })

  it('refuses an option that there is not, by name, and asks the broker for nothing', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web]))
    const told = {
      name: 'BrokerError',
      code: 'INVALID',
      message: 'acquire: unknown option "takover"; did you mean "takeover"?',
    }
    expect(await ended(broker.acquire('web', { takover: true } as AcquireOptions))).toMatchObject(told)
    expect(await ended(broker.acquire('web', { bind: 'process' } as AcquireOptions))).toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining(
        'unknown option "bind"; it takes generation, takeover, wait, ready, label, signal',
      ),
    })
    expect(fake.requests).toEqual([])
    const lease = await broker.acquire('web', { takeover: undefined, signal: new AbortController().signal })
    const draining = { drainTimout: 5 } as ServeOptions
    expect(await ended(lease.serve(createServer(), draining))).toMatchObject({
      code: 'INVALID',
      message: 'serve: unknown option "drainTimout"; did you mean "drainTimeout"?',
    })
    await lease.release()
    expect(() => connect({ path: '/run/x' } as ConnectOptions)).toThrow(
      /^connect: unknown option "path"; it takes socket,/,
    )
  })

  it('throws the broker’s refusal as it is', async () => {
    const { broker } = serve(
      granting([], (r) => (r.op === 'acquire' ? { ok: false, code: 'BUSY', message: 'full' } : undefined)),
    )
    expect(await ended(broker.acquire('web'))).toMatchObject({ name: 'BrokerError', code: 'BUSY', message: 'full' })
  })

  it('refuses a descriptor that is not the socket announced, closes it and gives the lease back', async () => {
    const [announced, sent] = [socket('tcp'), socket('tcp')]
    const { broker, fake } = serve(granting([{ fd: sent.fd, description: announced.description }]))
    const before = openFds()
    expect(await ended(broker.acquire('web'))).toMatchObject({
      code: 'SYSTEM',
      message: expect.stringContaining('SO_COOKIE'),
    })
    await broker.list()
    expect(fake.requests.at(-2)).toMatchObject({ op: 'release' })
    await broker.close()
    fake.close()
    expect(await leakedSince(before)).toEqual([])
  })

  it('refuses a descriptor of another type', async () => {
    const udp = socket('udp')
    const wrong = serve(granting([{ fd: udp.fd, description: { ...udp.description, type: 'tcp' } }]))
    expect(await ended(wrong.broker.acquire('web'))).toMatchObject({
      code: 'SYSTEM',
      message: expect.stringContaining('not a tcp socket'),
    })
  })

  it.each([-1, Number.NaN, '5', null])('refuses %s for its timeout', (timeout) => {
    expect(() => connect({ timeout: timeout as number })).toThrow(/^connect: timeout must be milliseconds from 0 on/)
  })

  it.each([2 ** 31, Number.POSITIVE_INFINITY])('waits for an answer as long as %d ms', async (timeout) => {
    let asked: { request: Request; peer: FakePeer } | undefined
    const hold = (request: Request, peer: FakePeer) => {
      if (request.op === 'list') asked = { request, peer }
      return undefined
    }
    const { broker } = serve(granting([], hold, ['list']), { timeout })
    const listed = broker.list()
    await expect.poll(() => asked).toBeDefined()
    asked!.peer.send({ id: asked!.request.id, ok: true, sockets: [] })
    expect(await listed).toEqual([])
  })

  it('never sends a request that would cost the connection', async () => {
    const { broker, fake } = serve(granting([]))
    for (const [name, options] of [
      ['a\0b', {}],
      ['../x', {}],
      ['web', { label: 'x\ny' }],
      ['web', { wait: -5 }],
      ['web', { wait: Number.NaN }],
      ['web', { wait: '5' }],
      ['web', { wait: null }],
    ] as const) {
      expect(await ended(broker.acquire(name, options as AcquireOptions))).toMatchObject({ code: 'INVALID' })
    }
    expect(fake.requests.filter(({ op }) => op !== 'hello')).toEqual([])
  })

  it.each([Number.POSITIVE_INFINITY, -1])(
    'waits for ever with %d, and its own time limit does not count then',
    async (wait) => {
      const web = socket('tcp')
      const { broker, fake } = serve(
        granting(
          [web],
          (request, peer) => {
            if (request.op === 'acquire') setTimeout(() => peer.grant(request, [web]), 800)
            return undefined
          },
          ['acquire'],
        ),
      )
      const lease = await broker.acquire('web', { wait })
      expect(fake.requests[1]).toMatchObject({ wait: -1 })
      await lease.release()
    },
  )

  it('rejects an aborted acquire with the signal’s reason, and gives a late grant back', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web], undefined, ['acquire']))
    const abort = new AbortController()
    const acquiring = ended(broker.acquire('web', { wait: 60_000, signal: abort.signal }))
    await expect.poll(() => fake.requests.length).toBe(2)
    abort.abort(new Error('changed my mind'))
    expect(await acquiring).toMatchObject({ message: 'changed my mind' })
    const before = openFds()
    fake.peers[0]!.grant(fake.requests[1]!, [web])
    await expect.poll(() => fake.requests.at(-1)).toMatchObject({ op: 'release', lease: fake.requests[1]!.id })
    expect(await leakedSince(before)).toEqual([])
    expect(await ended(broker.acquire('web', { signal: abort.signal }))).toMatchObject({ message: 'changed my mind' })
  })

  it('asks again after a loss, on a new connection', async () => {
    const web = socket('tcp')
    let losses = 0
    const { broker, fake } = serve(
      granting(
        [web],
        (request, peer) => {
          if (request.op === 'acquire' && losses++ < 2) peer.channel.close()
          else if (request.op === 'acquire') peer.grant(request, [web])
          return undefined
        },
        ['acquire'],
      ),
    )
    const lease = await broker.acquire('web')
    expect(fake.peers.length).toBe(3)
    await lease.release()
  })

  it('releases its leases when the Broker closes, and then refuses with CLOSED', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web]))
    const lease = await broker.acquire('web')
    await broker.close()
    expect(lease.state).toBe('ended')
    expect(fake.requests.at(-1)).toMatchObject({ op: 'release' })
    expect(await ended(broker.list())).toMatchObject({ code: 'CLOSED' })
    await broker.close()
  })

  it('keeps a spare descriptor while connected', async () => {
    const { broker } = serve(granting([]))
    const spares = () => [...openFds().values()].filter((what) => what === '/').length
    const before = spares()
    await broker.list()
    expect(spares()).toBe(before + 1)
  })
})

it('waits only a moment for a broker that does not answer release when the Broker closes', async () => {
  const { broker } = serve(granting([socket('tcp')], undefined, ['release']), { timeout: 60_000 })
  await broker.acquire('web')
  const start = performance.now()
  await broker.close()
  expect(performance.now() - start).toBeLessThan(2000)
})

it('does not make a lease of a grant that comes while the Broker closes', async () => {
  const web = socket('tcp')
  let pending: Request | undefined
  const { broker } = serve(
    granting(
      [web],
      (request, peer) => {
        if (request.op === 'acquire' && request.name === 'late') pending = request
        else if (request.op === 'acquire') peer.grant(request, [web])
        if (request.op === 'release') peer.grant(pending!, [web])
        return undefined
      },
      ['acquire'],
    ),
  )
  await broker.acquire('first')
  const acquiring = ended(broker.acquire('late'))
  await expect.poll(() => pending).toBeDefined()
  await broker.close()
  expect(await acquiring).toMatchObject({ code: 'CLOSED' })
})
