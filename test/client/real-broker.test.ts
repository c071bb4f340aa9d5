import { createServer as createHttp } from 'node:http'
import { describe, expect, it } from 'vitest'
import { type Broker, connect, type Lease } from '../../src/client/index.ts'
import { type Daemon, startDaemon, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { ended } from '../support/sdk.ts'

forbidLeaks()

const SOCKETS = `
[sockets.web]
listen = ["tcp://127.0.0.1:0", "tcp://[::1]:0"]
allow = ["user:root"]
[sockets.one]
listen = "unix://{dir}/one.sock"
allow = ["user:root"]
mode = "exclusive"
[sockets.closed]
listen = "tcp://127.0.0.1:0"
allow = ["user:65533"]
[sockets.many]
listen = [${Array.from({ length: 260 }, () => '"udp://127.0.0.1:0"').join()}]
allow = ["user:root"]
`

async function use(run: (broker: Broker, daemon: Daemon) => Promise<void>): Promise<void> {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const broker = connect({ socket: daemon.control })
  try {
    await run(broker, daemon)
  } finally {
    await broker.close()
    await daemon.stop()
  }
}

const portOf = (lease: Lease, at: number) => Number(lease.sockets[at]!.address.split(':').at(-1))

describe.runIf(process.getuid?.() === 0)('the SDK and a real broker (needs root)', () => {
  it('acquires, serves on both sockets, is seen, and releases', () =>
    use(async (broker) => {
      const lease = await broker.acquire('web', { label: 'first' })
      const server = createHttp((_request, response) => response.end('served'))
      await lease.listen(server)
      expect(await lease.ready()).toEqual({ state: 'ready', promoted: expect.any(Boolean) })
      for (const [at, host] of ['127.0.0.1', '[::1]'].entries()) {
        const response = await fetch(`http://${host}:${portOf(lease, at)}/`, { headers: { connection: 'close' } })
        expect(await response.text()).toBe('served')
      }
      const [holder] = await broker.holders('web')
      expect(holder).toMatchObject({ lease: lease.id, pid: process.pid, state: 'ready', label: 'first' })
      const web = (await broker.list()).find(({ name }) => name === 'web')
      expect(web).toMatchObject({
        state: 'ok',
        holders: { ready: 1 },
        sockets: lease.sockets.map(({ address }) => ({ address })),
      })
      expect(Object.keys(await broker.stats()).length).toBeGreaterThan(0)
      await lease.release()
      expect(await broker.holders('web')).toEqual([])
      await new Promise((resolve) => server.close(resolve))
    }))

  it('takes a name over without a gap: the old lease is drained when the new one is ready', () =>
    use(async (broker, daemon) => {
      const old = await broker.acquire('web', { ready: true })
      const drained = new Promise((resolve) => old.once('drain', resolve))
      const successor = connect({ socket: daemon.control })
      const lease = await successor.acquire('web', { takeover: true })
      expect(lease.generation).not.toBe(old.generation)
      expect(await lease.ready()).toMatchObject({ promoted: true })
      expect(await drained).toMatchObject({ reason: 'takeover', deadline: expect.any(Number) })
      expect(old.state).toBe('draining')
      await old.release()
      await successor.close()
    }))

  it('holds ready of an exclusive name until the former holder is gone', () =>
    use(async (broker) => {
      const old = await broker.acquire('one', { ready: true })
      expect(await ended(broker.acquire('one'))).toMatchObject({ code: 'BUSY' })
      const lease = await broker.acquire('one', { takeover: true })
      let answered = false
      const readying = lease.ready().then(() => {
        answered = true
      })
      await new Promise((resolve) => old.once('drain', resolve))
      await broker.list()
      expect(answered).toBe(false)
      await old.release()
      await readying
      expect(lease.state).toBe('ready')
    }))

  it('waits in line, and gives a place up when the signal aborts', () =>
    use(async (broker) => {
      const first = await broker.acquire('one', { ready: true })
      const abort = new AbortController()
      const given = ended(broker.acquire('one', { wait: 60_000, signal: abort.signal }))
      const second = broker.acquire('one', { wait: Number.POSITIVE_INFINITY })
      await until(async () => (await broker.list()).some(({ waiting }) => waiting === 2), 'two wait')
      abort.abort(new Error('enough'))
      expect(await given).toMatchObject({ message: 'enough' })
      await first.release()
      const lease = await second
      expect(lease.name).toBe('one')
      expect((await broker.holders('one')).map(({ lease }) => lease)).toEqual([lease.id])
      expect(await ended(broker.acquire('one', { wait: 50 }))).toMatchObject({ code: 'TIMEOUT' })
    }))

  it('refuses what the policy does not allow, in the broker’s words', () =>
    use(async (broker) => {
      expect(await ended(broker.acquire('closed'))).toMatchObject({ name: 'BrokerError', code: 'DENIED' })
      expect(await ended(broker.holders('nothing'))).toMatchObject({ code: 'NOT_FOUND' })
    }))

  it('receives more sockets than one packet carries', () =>
    use(async (broker) => {
      const lease = await broker.acquire('many')
      expect(lease.sockets.length).toBe(260)
      expect(new Set(lease.sockets.map(({ cookie }) => cookie)).size).toBe(260)
      await lease.release()
    }))

  it('learns that the broker ends: a drain; the next broker is found, and a lease that it does not know is lost', () =>
    use(async (broker, daemon) => {
      const lease = await broker.acquire('web', { ready: true })
      const drained = new Promise((resolve) => lease.once('drain', resolve))
      const over = new Promise((resolve) => lease.once('ended', resolve))
      const stopping = daemon.stop()
      expect(await drained).toMatchObject({ reason: 'shutdown' })
      daemon.process.kill('SIGKILL')
      await stopping
      const next = await startDaemon({ sockets: SOCKETS, directory: daemon.directory })
      expect(await over).toEqual({ reason: 'lost' })
      const again = await broker.acquire('web')
      expect(again.state).toBe('granted')
      await broker.close()
      await next.stop()
    }))
})
