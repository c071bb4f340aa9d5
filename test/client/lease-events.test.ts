import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { granting } from '../support/fake-broker.ts'
import { ended, useSdk } from '../support/sdk.ts'

const { serve, socket } = useSdk()

describe('the events of a lease', () => {
  it('tell a drain that came in the same moment as the grant', async () => {
    const web = socket('tcp')
    const { broker } = serve(
      granting(
        [web],
        (request, peer) => {
          if (request.op !== 'acquire') return undefined
          peer.grant(request, [web])
          peer.send({ event: 'drain', lease: request.id, reason: 'takeover', deadline: 30_000 })
          return undefined
        },
        ['acquire'],
      ),
    )
    const lease = await broker.acquire('web')
    await expect.poll(() => lease.state).toBe('draining')
    const drain = await new Promise((resolve) => lease.on('drain', resolve))
    expect(drain).toEqual({ reason: 'takeover', deadline: 30_000 })
    await lease.release()
  })

  it('tell the end by the broker once, and not the end by release()', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web]))
    const lease = await broker.acquire('web')
    const heard: unknown[] = []
    lease.on('ended', (details) => heard.push(details))
    fake.peers[0]!.send({ event: 'ended', lease: lease.id, reason: 'expired' })
    fake.peers[0]!.send({ event: 'ended', lease: lease.id, reason: 'expired' })
    await expect.poll(() => heard).toEqual([{ reason: 'expired' }])
    expect(lease.state).toBe('ended')
    expect(await ended(lease.ready())).toMatchObject({ code: 'ENDED', message: expect.stringContaining('expired') })
    const other = await broker.acquire('web')
    other.on('ended', (details) => heard.push(details))
    await other.release()
    await sleep(20)
    expect(heard.length).toBe(1)
    await lease.release()
  })

  it('of other leases, unknown events and their descriptors are dropped', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web]))
    const lease = await broker.acquire('web')
    fake.peers[0]!.send({ event: 'ended', lease: 999, reason: 'expired' }, [web.fd])
    fake.peers[0]!.send({ event: 'news', lease: lease.id }, [web.fd])
    fake.peers[0]!.send({ event: 'reconnect' })
    await broker.list()
    expect(lease.state).toBe('granted')
    await lease.release()
  })
})

describe('ready', () => {
  it('is held as long as the broker likes, and the state follows the answer', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web], undefined, ['ready']), { timeout: 500 })
    const lease = await broker.acquire('web')
    const readying = lease.ready()
    await sleep(700)
    expect(lease.state).toBe('granted')
    const { id } = fake.requests.at(-1)!
    fake.peers[0]!.send({ id, ok: true, state: 'ready', promoted: true })
    expect(await readying).toEqual({ state: 'ready', promoted: true })
    await lease.release()
  })

  it('can be given up, and an answer that comes later still counts', async () => {
    const web = socket('tcp')
    const { broker, fake } = serve(granting([web], undefined, ['ready']))
    const lease = await broker.acquire('web')
    const abort = new AbortController()
    const readying = ended(lease.ready({ signal: abort.signal }))
    await expect.poll(() => fake.requests.at(-1)?.op).toBe('ready')
    abort.abort(new Error('enough'))
    expect(await readying).toMatchObject({ message: 'enough' })
    fake.peers[0]!.send({ id: fake.requests.at(-1)!.id, ok: true, state: 'ready', promoted: false })
    await expect.poll(() => lease.state).toBe('ready')
    await lease.release()
  })

  it('that never comes is warned of at half of readyWithin, and only then', async () => {
    const web = socket('tcp')
    const { broker } = serve(
      granting(
        [web],
        (request, peer) => (request.op === 'acquire' ? peer.grant(request, [web], { readyWithin: 100 }) : undefined),
        ['acquire'],
      ),
    )
    const warnings: string[] = []
    const hear = (warning: Error & { code?: string }) => warnings.push(`${warning.code}: ${warning.message}`)
    process.on('warning', hear)
    const late = await broker.acquire('late')
    const good = await broker.acquire('good')
    await good.ready()
    await sleep(120)
    process.off('warning', hear)
    expect(warnings).toEqual([expect.stringMatching(/^FD_BROKER_NOT_READY: the lease on late .*lease\.ready\(\)/)])
    await late.release()
    await good.release()
  })

  it('is not needed after acquire with ready: true', async () => {
    const web = socket('tcp')
    const { broker } = serve(granting([web]))
    const lease = await broker.acquire('web', { ready: true })
    expect(lease.state).toBe('ready')
    await using _released = lease
  })
})
