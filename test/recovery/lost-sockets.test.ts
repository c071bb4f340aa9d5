// An address that another process has when a broker comes back: that name is lost until it can be bound, and all others serve.

import { rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { expect, it } from 'vitest'
import { freePort } from '../../bench/support/free-port.mjs'
import { Asker, type Message } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import {
  type Daemon,
  exitOf,
  launch,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  until,
  writeConfig,
} from '../support/daemon.ts'
import { brokerPid, socketsOf } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { runUpgrade } from '../support/upgrade.ts'

forbidLeaks()

const SOCKETS = (port: number, more = '') => `[sockets.lost]
listen = "tcp://127.0.0.1:${port}"
allow = ["any"]
${more}
[sockets.web]
listen = "unix://{dir}/web.sock"
allow = ["any"]`

/** Has a port: of the kernel's choice, or that one. */
async function stranger(port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer()
  atEnd(() => void server.close())
  await until(async () => {
    if (server.listening) return true
    server.once('error', () => {})
    server.listen(port, '127.0.0.1')
    return false
  }, 'it has the port')
  return { server, port: (server.address() as { port: number }).port }
}

const view = async (asker: Asker) =>
  ((await asker.ask('list'))['sockets'] as Message[]).find(({ name }) => name === 'lost')!

/** A broker that came back and found its port taken by this process. */
async function lostName(
  more = '',
): Promise<{ daemon: Daemon; server: Server; asker: Asker; port: number; address: string }> {
  const sockets = SOCKETS(await freePort(), more)
  const daemon = await startDaemon({ sockets, keeper: true })
  const { address } = (await socketsOf(daemon, 'lost'))[0]!
  const broker = await brokerPid(daemon)
  process.kill(daemon.pid, 'SIGKILL')
  process.kill(broker, 'SIGKILL')
  await exitOf(daemon)
  const { server, port } = await stranger(Number(address.split(':').at(-1)))
  const next = await startDaemon({ sockets, directory: daemon.directory, keeper: true })
  return { daemon: next, server, asker: await Asker.connect(next.control), port, address }
}

it.each(['', 'guard = false'])(
  'it is lost, says to whom, is refused to who does not wait, and bound and granted when it is free (%s)',
  async (more) => {
    const { daemon: next, server, asker, address } = await lostName(more)
    expect(await view(asker)).toMatchObject({ state: 'lost', lostTo: process.pid })
    expect(next.logs().find(({ msg }) => `${msg}`.startsWith('lost:'))).toMatchObject({
      name: 'lost',
      pid: process.pid,
    })
    const refused = await asker.ask('acquire', { name: 'lost', ready: true })
    expect(refused).toMatchObject({ ok: false, code: 'SYSTEM' })
    expect(refused['message']).toContain(`"lost" is lost: ${address} is in use by`)
    expect(refused['message']).toContain(`(pid ${process.pid})`)
    const late = await asker.ask('acquire', { name: 'lost', wait: 50 })
    expect(late).toMatchObject({
      ok: false,
      code: 'TIMEOUT',
      message: expect.stringContaining(`${address} is in use by`),
    })
    const waiter = await Asker.connect(next.control)
    waiter.send('acquire', { name: 'lost', ready: true, wait: -1 })
    await until(async () => (await view(asker))['waiting'] === 1, 'it waits')
    expect((await view(asker))['state']).toBe('lost')
    expect(await asker.ask('acquire', { name: 'web', ready: true })).toMatchObject({ ok: true })
    server.close()
    expect(await waiter.next(10_000)).toMatchObject({ ok: true, state: 'ready', sockets: [{ address }] })
    expect(await view(asker)).toMatchObject({ state: 'ok', waiting: 0 })
    expect(await view(asker)).not.toHaveProperty('lostTo')
    const { events } = (await asker.ask('history', { name: 'lost' })) as unknown as { events: Message[] }
    expect(events.map(({ event }) => event)).toEqual(['lost', 'regained', 'granted', 'ready'])
    expect(await asker.ask('acquire', { name: 'lost', ready: true })).toMatchObject({ ok: true })
    waiter.close()
    asker.close()
    await stopCleanly(next)
  },
)

it('at a first start, and without a trace of the broker before, it stays an error that names the process', async () => {
  const { port } = await stranger()
  const directory = temporaryDirectory()
  const daemon = launch(directory, writeConfig(directory, { sockets: SOCKETS(port) }))
  expect(await exitOf(daemon)).toBe(111)
  expect(daemon.stderr()).toContain(`(pid ${process.pid})`)
  rmSync(daemon.config)
})

it('a broker that cannot have an address is replaced all the same, and its successor waits for it', async () => {
  const { daemon: next, server, asker } = await lostName()
  expect((await runUpgrade(next)).status).toBe(0)
  asker.close()
  const again = await Asker.connect(next.control)
  const viewer = await Asker.connect(next.control)
  again.send('acquire', { name: 'lost', wait: -1 })
  await until(async () => (await view(viewer))['waiting'] === 1, 'it waits')
  expect(await view(viewer)).toMatchObject({ state: 'lost', lostTo: process.pid })
  server.close()
  expect(await again.next(10_000)).toMatchObject({ ok: true, state: 'granted' })
  again.close()
  viewer.close()
  await stopCleanly(next)
})

it('a reload that gives a lost name another address serves who waits for it', async () => {
  const { daemon: next, asker, port } = await lostName()
  const waiter = await Asker.connect(next.control)
  waiter.send('acquire', { name: 'lost', wait: -1 })
  await until(async () => (await view(asker))['waiting'] === 1, 'it waits')
  writeConfig(next.directory, { sockets: SOCKETS(port).replace(`tcp://127.0.0.1:${port}`, 'unix://{dir}/other.sock') })
  expect(await asker.ask('reload')).toMatchObject({ ok: true })
  expect(await waiter.next()).toMatchObject({ ok: true, sockets: [{ type: 'unix' }] })
  waiter.close()
  asker.close()
  await stopCleanly(next)
})
