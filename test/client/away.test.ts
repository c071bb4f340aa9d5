import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { connect, type EndReason } from '../../src/client/index.ts'
import { FakeBroker, granting, type Handler } from '../support/fake-broker.ts'
import { ended, useSdk } from '../support/sdk.ts'

const { atEnd, scratch, serve, socket } = useSdk()

describe('a broker that is away', () => {
  it('is tried until `timeout`, then CLOSED names the path and the remedy', async () => {
    const broker = connect({ socket: scratch.at('nobody.sock'), timeout: 200 })
    const start = performance.now()
    const error = await ended(broker.acquire('web'))
    expect(performance.now() - start).toBeGreaterThan(180)
    expect(performance.now() - start).toBeLessThan(5000)
    expect(error).toMatchObject({ name: 'BrokerError', code: 'CLOSED' })
    expect((error as Error).message).toMatch(/nobody\.sock.*ENOENT.*fd-broker serve.*FD_BROKER_SOCKET/)
    await broker.close()
  })

  it('is found when it comes within `timeout`, whatever stood at its path before', async () => {
    const path = scratch.at('control.sock')
    const stale = new FakeBroker(path, () => undefined)
    stale.close()
    const broker = connect({ socket: path, timeout: 5000 })
    const listing = broker.list()
    await sleep(150)
    rmSync(path)
    const fake = new FakeBroker(path, granting([]))
    atEnd(() => fake.close())
    expect(await listing).toEqual([])
    await broker.close()
  })

  it('gives up at once when the signal aborts', async () => {
    const broker = connect({ socket: scratch.at('nobody.sock'), timeout: 60_000 })
    const listing = ended(broker.list({ signal: AbortSignal.timeout(50) }))
    expect(await listing).toMatchObject({ name: 'TimeoutError' })
    await broker.close()
  })

  it('is not waited for when the socket is of another kind', async () => {
    const server = createServer().listen(scratch.at('stream.sock'))
    atEnd(() => server.close())
    const broker = connect({ socket: scratch.at('stream.sock'), timeout: 60_000 })
    expect(await ended(broker.list())).toMatchObject({ code: 'CLOSED', message: expect.stringContaining('EPROTOTYPE') })
    await broker.close()
  })

  it.runIf(process.getuid?.() === 0)('is not waited for when this user may not connect (needs root)', async () => {
    const fake = new FakeBroker(scratch.at('control.sock'), granting([]))
    atEnd(() => fake.close())
    chmodSync(scratch.path, 0o755)
    chmodSync(fake.path, 0o600)
    const broker = connect({ socket: fake.path, timeout: 60_000 })
    process.seteuid?.(65534)
    try {
      const error = await ended(broker.list())
      expect(error).toMatchObject({ code: 'CLOSED', message: expect.stringMatching(/EACCES.*control_mode/) })
    } finally {
      process.seteuid?.(0)
      await broker.close()
    }
  })
})

describe('a broker that misbehaves', () => {
  it('that is silent is given up after `timeout`, and the connection with its leases is kept', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web], undefined, ['list']), { timeout: 500 })
    const lease = await broker.acquire('web')
    expect(await ended(broker.list())).toMatchObject({
      code: 'CLOSED',
      message: expect.stringContaining('did not answer list within'),
    })
    expect(fake.open.size).toBe(1)
    expect(lease.state).toBe('granted')
    await lease.release()
  })

  it('that sends garbage loses the connection: PROTOCOL', async () => {
    const { broker } = serve((_request, peer) => {
      peer.channel.send(Uint8Array.of(0xc1, 0, 0))
      return undefined
    })
    expect(await ended(broker.list())).toMatchObject({ code: 'PROTOCOL' })
  })

  it.each([
    ['beyond their total', { part: 3, parts: 2 }],
    ['without end', { part: 1, parts: 2 ** 31 }],
    ['of no number', { part: 'one', parts: 2 }],
  ])('that answers with parts %s loses the connection, and no descriptor stays', async (_what, extra) => {
    const web = socket('tcp')
    const override = granting([web], (r, peer) => (r.op === 'acquire' ? peer.grant(r, [web], extra) : undefined), [
      'acquire',
    ])
    const { broker } = serve(override)
    expect(await ended(broker.acquire('web'))).toMatchObject({ code: 'PROTOCOL' })
  })

  it('that goes away after the first of two parts leaves no descriptor', async () => {
    const web = socket('tcp')
    const { broker } = serve(
      granting(
        [web],
        (request, peer) => {
          if (request.op !== 'acquire') return undefined
          peer.grant(request, [web], { part: 1, parts: 2 })
          setTimeout(() => peer.channel.close(), 20)
          return undefined
        },
        ['acquire'],
      ),
      { timeout: 100 },
    )
    expect(await ended(broker.acquire('web'))).toMatchObject({ code: 'CLOSED' })
  })

  it('that refuses hello fails what was sent with it', async () => {
    const refusal = { ok: false, code: 'VERSION', message: 'only 2', supported: [2] }
    const { broker } = serve((request) => (request.op === 'hello' ? refusal : undefined))
    expect(await ended(broker.list())).toMatchObject({ code: 'VERSION', details: { supported: [2] } })
  })

  it('that closes every connection is tried with back-off, not hammered', async () => {
    const { broker, fake } = serve(
      (_request, peer) => {
        peer.channel.close()
        return undefined
      },
      { timeout: 500 },
    )
    expect(await ended(broker.list())).toMatchObject({ code: 'CLOSED' })
    expect(fake.peers.length).toBeGreaterThan(2)
    expect(fake.peers.length).toBeLessThan(12)
  })
})

describe('a lost connection', () => {
  it('is replaced unasked while there is a lease, which is reclaimed and does not notice', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web]))
    const lease = await broker.acquire('web')
    await lease.ready()
    lease.on('ended', ({ reason }) => expect(reason).toBe(''))
    fake.dropConnections()
    await expect.poll(() => fake.peers.at(-1)?.requests.map(({ op }) => op)).toEqual(['hello', 'reclaim'])
    expect(fake.requests.slice(-2)).toMatchObject([{ leases: [lease.id] }, { lease: lease.id, name: 'web' }])
    expect(lease.state).toBe('ready')
    await lease.release()
    expect(fake.requests.at(-1)).toMatchObject({ op: 'release', lease: lease.id })
  })

  it('loses its leases when the next broker does not know them; their sockets stay open', async () => {
    const web = socket('tcp')
    const denied = { ok: false, code: 'DENIED', message: 'no such lease' }
    const { broker, fake } = serve(granting([web], ({ op }) => (op === 'reclaim' ? denied : undefined)))
    const lease = await broker.acquire('web')
    const reasons: string[] = []
    lease.on('ended', ({ reason }) => reasons.push(reason))
    fake.dropConnections()
    await expect.poll(() => reasons).toEqual(['lost'])
    expect(lease.state).toBe('lost')
    expect(lease.fds.length).toBe(1)
    const { closeSync } = await import('node:fs')
    closeSync(lease.fds[0]!)
    expect(await ended(lease.ready())).toMatchObject({ code: 'ENDED', message: expect.stringContaining('lost') })
    await lease.release()
    await lease.release()
    expect(await broker.list()).toEqual([])
    expect(fake.requests.filter(({ op }) => op === 'release')).toEqual([])
  })

  it.each(['expired', 'died'] satisfies EndReason[])('tells a lease that ended meanwhile why: %s', async (reason) => {
    const web = socket('tcp')
    const over = { ok: false, code: 'ENDED', message: 'it is over', reason }
    const { broker, fake } = serve(granting([web], ({ op }) => (op === 'reclaim' ? over : undefined)))
    const lease = await broker.acquire('web')
    const reasons: string[] = []
    lease.on('ended', (end) => reasons.push(end.reason))
    fake.dropConnections()
    await expect.poll(() => reasons).toEqual([reason])
    expect(lease.state).toBe('ended')
    await lease.release()
  })

  it('is replaced at once when the broker says `reconnect`', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web]))
    const lease = await broker.acquire('web')
    const [former] = fake.peers
    former!.send({ event: 'reconnect' })
    await expect.poll(() => fake.peers.at(-1)?.requests.map(({ op }) => op)).toEqual(['hello', 'reclaim'])
    await expect.poll(() => fake.open.has(former!)).toBe(false)
    await lease.release()
  })

  it('asks again for what was not answered: ready behind the reclaim, acquire with the leases listed', async () => {
    const web = socket('tcp')
    const silent = ['ready', 'acquire']
    let connections = 0
    const { broker, fake } = serve((request, peer) => {
      if (request.op === 'hello') connections++
      const first = connections === 1 && silent.includes(request.op) && request.id > 2
      return first ? undefined : granting([web])(request, peer)
    })
    const lease = await broker.acquire('web')
    const ready = lease.ready()
    const other = broker.acquire('web')
    await expect.poll(() => fake.requests.length).toBe(4)
    fake.dropConnections()
    expect(await ready).toEqual({ state: 'ready', promoted: true })
    const second = await other
    const asked = fake.peers[1]!.requests
    expect(asked.map(({ op }) => op).slice(0, 2)).toEqual(['hello', 'reclaim'])
    expect(asked.map(({ op }) => op).sort()).toEqual(['acquire', 'hello', 'ready', 'reclaim'])
    expect(asked[0]).toMatchObject({ leases: [lease.id] })
    await Promise.all([lease.release(), second.release()])
  })

  it('asks again also when the broker that comes next goes before it has answered', async () => {
    const web = socket('tcp')
    let connections = 0
    const { broker, fake } = serve((request, peer) => {
      if (request.op === 'hello') connections++
      const silent = connections < 3 && ['ready', 'reclaim'].includes(request.op)
      return silent ? undefined : granting([web])(request, peer)
    })
    const lease = await broker.acquire('web')
    const ready = lease.ready()
    await expect.poll(() => fake.requests.at(-1)?.op).toBe('ready')
    fake.dropConnections()
    await expect.poll(() => fake.peers[1]?.requests.map(({ op }) => op)).toEqual(['hello', 'reclaim'])
    fake.dropConnections()
    expect(await ready).toEqual({ state: 'ready', promoted: true })
    expect(fake.peers[2]!.requests.map(({ op }) => op)).toEqual(['hello', 'reclaim', 'ready'])
    await lease.release()
  })

  it('puts a release off until the broker is back, and does not wait for that', async () => {
    const web = socket('tcp')
    const { broker, fake, restart } = restartable(granting([web]))
    const lease = await broker.acquire('web')
    fake.close()
    await lease.release()
    const next = restart()
    await expect.poll(() => next.requests.map(({ op }) => op)).toEqual(['hello', 'reclaim', 'release'])
  })

  it('asks for the sockets when they are others than before', async () => {
    const [web, successor] = [socket('tcp'), socket('tcp')]
    const { broker, fake } = serve(
      granting(
        [web],
        (request, peer) => {
          if (request.op === 'reclaim') return { sockets: [successor.description] }
          if (request.op === 'sockets') peer.grant(request, [successor])
          return undefined
        },
        ['sockets'],
      ),
    )
    const lease = await broker.acquire('web')
    fake.dropConnections()
    await expect.poll(() => lease.sockets).toEqual([successor.description])
    await lease.release()
  })

  it('is final with reconnect: false', async () => {
    const { broker, fake } = serve(granting([]), { reconnect: false })
    await broker.list()
    fake.dropConnections()
    await sleep(20)
    expect(await ended(broker.list())).toMatchObject({ code: 'CLOSED' })
    expect(fake.peers.length).toBe(1)
  })
})

/** A broker that goes away with its socket path, and comes again. */
function restartable(handler: Handler) {
  const fake = new FakeBroker(scratch.at('control.sock'), handler)
  const broker = connect({ socket: fake.path })
  atEnd(() => broker.close())
  const restart = () => {
    rmSync(fake.path)
    const next = new FakeBroker(fake.path, handler)
    atEnd(() => next.close())
    return next
  }
  return { broker, fake, restart }
}

it('does not believe a socket file of somebody else’s unless it was named', async () => {
  const { assertTrusted } = await import('../../src/client/socket-path.ts')
  mkdirSync(scratch.at('d'))
  writeFileSync(scratch.at('d/s'), '')
  const path = scratch.at('d/s')
  expect(() => assertTrusted(0, { path, explicit: false }, 1000)).not.toThrow()
  expect(() => assertTrusted(1000, { path, explicit: false }, 1000)).not.toThrow()
  expect(() => assertTrusted(1001, { path, explicit: false }, 1000)).toThrow(/uid 1001/)
  expect(() => assertTrusted(1001, { path, explicit: true }, 1000)).toThrow(/uid 1001/)
  expect(() => assertTrusted(process.getuid!(), { path, explicit: true }, 1000)).not.toThrow()
})
