// An address that another process has when a broker comes back: that name is lost until it can be bound, and all others serve.

import { rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { expect, it } from 'vitest'
import { Asker, type Message } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { exitOf, launch, startDaemon, stopCleanly, temporaryDirectory, until, writeConfig } from '../support/daemon.ts'
import { brokerPid, socketsOf } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'

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

async function freePort(): Promise<number> {
  const { server, port } = await stranger()
  await new Promise((resolve) => server.close(resolve))
  return port
}

const view = async (asker: Asker) =>
  ((await asker.ask('list'))['sockets'] as Message[]).find(({ name }) => name === 'lost')!

it.each(['', 'guard = false'])('it is lost, says to whom, is refused, and bound when it is free (%s)', async (more) => {
  const sockets = SOCKETS(await freePort(), more)
  const daemon = await startDaemon({ sockets, keeper: true })
  const { address } = (await socketsOf(daemon, 'lost'))[0]!
  const broker = await brokerPid(daemon)
  process.kill(daemon.pid, 'SIGKILL')
  process.kill(broker, 'SIGKILL')
  await exitOf(daemon)
  const { server } = await stranger(Number(address.split(':').at(-1)))
  const next = await startDaemon({ sockets, directory: daemon.directory, keeper: true })
  const asker = await Asker.connect(next.control)
  expect(await view(asker)).toMatchObject({ state: 'lost', lostTo: process.pid })
  expect(next.logs().find(({ msg }) => `${msg}`.startsWith('lost:'))).toMatchObject({ name: 'lost', pid: process.pid })
  const refused = await asker.ask('acquire', { name: 'lost', ready: true })
  expect(refused).toMatchObject({ ok: false, code: 'SYSTEM' })
  expect(refused['message']).toContain(`lost is lost: ${address} is in use by`)
  expect(refused['message']).toContain(`(pid ${process.pid})`)
  expect(await asker.ask('acquire', { name: 'web', ready: true })).toMatchObject({ ok: true })
  server.close()
  await until(async () => (await view(asker))['state'] === 'idle', 'it is bound')
  expect(await view(asker)).not.toHaveProperty('lostTo')
  const { events } = (await asker.ask('history', { name: 'lost' })) as unknown as { events: Message[] }
  expect(events.map(({ event }) => event)).toEqual(['lost', 'granted', 'ready', 'revoked', 'regained'])
  expect(await asker.ask('acquire', { name: 'lost', ready: true })).toMatchObject({ ok: true })
  asker.close()
  await stopCleanly(next)
})

it('at a first start, and without a trace of the broker before, it stays an error that names the process', async () => {
  const { port } = await stranger()
  const directory = temporaryDirectory()
  const daemon = launch(directory, writeConfig(directory, { sockets: SOCKETS(port) }))
  expect(await exitOf(daemon)).toBe(111)
  expect(daemon.stderr()).toContain(`(pid ${process.pid})`)
  rmSync(daemon.config)
})
