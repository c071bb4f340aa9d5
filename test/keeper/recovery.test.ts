import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { stopCleanly, until } from '../support/daemon.ts'
import { brokerPid, killBroker, socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { figureOf, scrape } from '../support/metrics.ts'
import { RawClient } from '../support/raw-client.ts'
import { askSteadily } from '../support/steady-client.ts'
import { startSteadyWorker } from '../support/steady-worker.ts'

forbidLeaks()

const SOCKETS = `[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]
allow = ["user:${process.getuid!()}"]
drain_timeout = "300ms"
[sockets.dns]
listen = "udp://127.0.0.1:0"
allow = ["user:${process.getuid!()}"]
drain_timeout = "300ms"`

const portOf = (address: string) => Number(/:(\d+)$/.exec(address)![1])

it('kill -9 of the broker, five times: the same sockets each time, and no client is refused', {
  timeout: 60_000,
}, async () => {
  const daemon = await startKept({ sockets: SOCKETS, broker: 'metrics = "unix://{dir}/metrics.sock"' })
  const web = await socketsOf(daemon, 'web')
  const dns = await socketsOf(daemon, 'dns')
  await startSteadyWorker(daemon.control, 'web')
  const stop = askSteadily(portOf(web[0]!.address), 5)
  for (let times = 0; times < 5; times++) {
    await killBroker(daemon)
    expect(await socketsOf(daemon, 'web')).toEqual(web)
    expect(await socketsOf(daemon, 'dns')).toEqual(dns)
  }
  const attempts = await stop()
  expect(attempts.length).toBeGreaterThan(20)
  expect(attempts.filter(({ error }) => error !== undefined)).toEqual([])
  expect(daemon.logs().filter(({ by }) => by === 'signal 9').length).toBe(5)
  expect(figureOf(await scrape(daemon), 'fd_broker_restarts_total')).toBe(5)
  const said = (what: string) => daemon.logs().filter(({ msg, name }) => msg === what && name === 'web')
  expect(said('bound')).toHaveLength(1)
  expect(said('taken over').map(({ sockets }) => sockets)).toEqual(Array(5).fill(web.map(({ address }) => address)))
  await stopCleanly(daemon)
})

it('the control socket stays open while no broker is there: who connects then is served by the next', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const before = await brokerPid(daemon)
  process.kill(before, 'SIGSTOP')
  const client = new RawClient(daemon.control)
  process.kill(before, 'SIGKILL')
  const { message } = await client.hello()
  expect(message).toMatchObject({ ok: true })
  expect(message['pid']).not.toBe(before)
  client.close()
  await stopCleanly(daemon)
})

it('a name can be had again from the broker that took over, and what was removed meanwhile is not needed', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  await killBroker(daemon)
  const asker = await Asker.connect(daemon.control)
  expect(await asker.ask('acquire', { name: 'web', ready: true })).toMatchObject({ ok: true, state: 'ready' })
  asker.close()
  await stopCleanly(daemon)
})

it('a stopped broker holds up no client of the workers; who asks it waits, and is answered when it goes on', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const [tcp] = await socketsOf(daemon, 'web')
  await startSteadyWorker(daemon.control, 'web')
  const broker = await brokerPid(daemon)
  process.kill(broker, 'SIGSTOP')
  const stop = askSteadily(portOf(tcp!.address), 5)
  const client = new RawClient(daemon.control)
  const greeting = client.hello()
  await sleep(500)
  expect(client.received.length).toBe(0)
  const attempts = await stop()
  expect(attempts.filter(({ error }) => error !== undefined)).toEqual([])
  process.kill(broker, 'SIGCONT')
  expect((await greeting).message).toMatchObject({ pid: broker })
  client.close()
  await stopCleanly(daemon)
})

it('without a keeper kill -9 loses the control socket: the control run', async () => {
  const { startDaemon } = await import('../support/daemon.ts')
  const daemon = await startDaemon({ sockets: SOCKETS })
  await daemon.stop('SIGKILL')
  await until(async () => {
    try {
      new RawClient(daemon.control).close()
      return false
    } catch {
      return true
    }
  }, 'nobody answers')
})
