// A reload that is taken back while the socket of the former address leaves: it is the name's own again, without a gap.

import net from 'node:net'
import { expect, it } from 'vitest'
import { addon } from '../../src/sys/addon.ts'
import type { OwnedFd } from '../../src/sys/index.ts'
import { accepted } from '../support/accepted.ts'
import { Asker } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { cli, cookies, list, portOf, rewrite } from '../support/reloading.ts'

forbidLeaks()

const web = (listen: string, priority = 1) =>
  `[sockets.web]\nlisten = "${listen}"\nallow = ["any"]\ndrain_timeout = "60s"\n` +
  `sockopt = [{ level = 1, name = 12, value = ${priority} }]\n`
const ELSEWHERE = web('tcp://127.0.0.1:0')

async function reload(daemon: Daemon, text: string): Promise<void> {
  rewrite(daemon, text)
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0, stderr: '' })
}

interface Held {
  asker: Asker
  fds: OwnedFd[]
}

async function hold(daemon: Daemon): Promise<Held> {
  const asker = await Asker.connect(daemon.control)
  const { fds } = await asker.received('acquire', { name: 'web', ready: true })
  return { asker, fds: [...fds] }
}

async function replaced({ asker, fds }: Held): Promise<void> {
  const next = await asker.client.next()
  expect(next.message).toMatchObject({ event: 'replaced' })
  fds.push(...next.fds)
}

function leave({ asker, fds }: Held): void {
  for (const fd of fds) fd.close()
  asker.close()
}

function connect(port: number): Promise<void> {
  const client = net.connect({ host: '127.0.0.1', port })
  atEnd(() => client.destroy())
  return new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject))
}

const closed = (daemon: Daemon) => daemon.logs().filter(({ msg }) => msg === 'old socket closed').length

/** A broker whose `web` is held at a port that is in the file, and has been told to be elsewhere. */
async function moved(start = startDaemon): Promise<{ daemon: Daemon; port: number; held: Held; before: string[] }> {
  const daemon = await start({ sockets: ELSEWHERE })
  const port = await portOf(daemon, 'web')
  await reload(daemon, web(`tcp://127.0.0.1:${port}`))
  await until(() => closed(daemon) === 1, 'the one that was bound to any port has left')
  const held = await hold(daemon)
  const before = (await cookies(daemon, 'web'))!
  await reload(daemon, ELSEWHERE)
  await replaced(held)
  return { daemon, port, held, before }
}

/** Once the holder has let go of all, `gone` old sockets have left, and the port still serves. */
async function expectOneLeft(daemon: Daemon, port: number, held: Held, gone: number): Promise<void> {
  for (const fd of held.fds.splice(0)) fd.close()
  await until(() => closed(daemon) === gone, `${gone} have left`)
  await connect(port)
  leave(held)
  await stopCleanly(daemon)
}

it('is the very socket, with what waits in its queue; and what holders have changed of it meanwhile is set back', async () => {
  const { daemon, port, held, before } = await moved()
  const [{ sockets } = { sockets: [] }] = await list(daemon)
  await connect(port)
  addon.listen(held.fds[0]!.fd, 7)
  await reload(daemon, web(`tcp://127.0.0.1:${port}`))
  await replaced(held)
  expect(await cookies(daemon, 'web')).toEqual(before)
  expect((await list(daemon))[0]!.sockets[0]!.limit).toBe(sockets[0]!.limit)
  await connect(port)
  expect(accepted(held.fds[2]!)).toBe(2)
  await expectOneLeft(daemon, port, held, 2)
})

it('is the very socket also after kill -9 of the broker that had it leave, and of the one that took it back', async () => {
  const { daemon, port, held, before } = await moved(startKept)
  await killBroker(daemon)
  await reload(daemon, web(`tcp://127.0.0.1:${port}`))
  expect(await cookies(daemon, 'web')).toEqual(before)
  await killBroker(daemon)
  expect(await cookies(daemon, 'web')).toEqual(before)
  await expectOneLeft(daemon, port, held, 2)
})

it('has a successor where it is to have options that only a new socket gets: new clients come to that one', async () => {
  const { daemon, port, held, before } = await moved()
  await connect(port)
  await reload(daemon, web(`tcp://127.0.0.1:${port}`, 2))
  await replaced(held)
  expect(await cookies(daemon, 'web')).not.toEqual(before)
  for (let i = 0; i < 20; i++) await connect(port)
  expect([held.fds[0]!, held.fds[2]!].map(accepted)).toEqual([1, 20])
  await expectOneLeft(daemon, port, held, 3)
})

it('is the very socket of an abstract name; with other options the refusal says that the broker’s old socket is in the way, until when', async () => {
  const name = `unix://@fd-broker-test-back-${process.pid}`
  const daemon = await startDaemon({ sockets: web(name) })
  const held = await hold(daemon)
  const before = await cookies(daemon, 'web')
  await reload(daemon, ELSEWHERE)
  await replaced(held)
  rewrite(daemon, web(name, 2))
  const { status, stderr } = await cli(daemon, 'reload')
  expect(status).toBe(111)
  expect(stderr).toMatch(/in use by an old socket of \[sockets\.web\], unix:\S+, which leaves by 20\S+Z at the latest/)
  await reload(daemon, web(name))
  expect(await cookies(daemon, 'web')).toEqual(before)
  leave(held)
  await stopCleanly(daemon)
})

it('an address that overlaps an old socket is refused, and the refusal says whose that is and until when', async () => {
  const { daemon, port, held } = await moved()
  rewrite(daemon, web(`tcp://0.0.0.0:${port}`))
  const { status, stderr } = await cli(daemon, 'reload')
  expect(status).toBe(111)
  expect(stderr).toContain(`in use by an old socket of [sockets.web], tcp://127.0.0.1:${port}, which leaves by 20`)
  leave(held)
  await stopCleanly(daemon)
})
