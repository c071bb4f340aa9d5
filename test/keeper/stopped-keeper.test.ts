// A keeper that is stopped (SIGSTOP, a frozen cgroup) takes nothing: its broker serves on, and the keeper has everything when it goes on.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { expect, it } from 'vitest'
import { Asker, closeAll } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, stopCleanly, until } from '../support/daemon.ts'
import { brokerPid, killBroker, socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { rewrite } from '../support/reloading.ts'

forbidLeaks()

const named = (name: string, more = '') =>
  `[sockets.${name}]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\nmode = "shared"\n${more}\n`
/** TCP_USER_TIMEOUT: what is set by `sockopt` needs a new socket. */
const NEW_SOCKET = 'sockopt = [{ level = 6, name = 18, value = 30000 }]'

const saysOnce = (daemon: Daemon, text: string) =>
  daemon.logs().filter(({ msg }) => String(msg).startsWith(text)).length === 1

/** Takes leases that the keeper is told of, until it takes nothing any more, and the broker has waited for it. */
async function overwhelm(daemon: Daemon, asker: Asker): Promise<void> {
  const behind = () => saysOnce(daemon, 'the keeper takes nothing')
  while (!behind()) {
    const { lease } = await askSlowly(asker, 'acquire', { name: 'other', bind: 'process' })
    await askSlowly(asker, 'release', { lease })
  }
}

/** The broker waits for its keeper for a while, once. */
async function askSlowly(asker: Asker, op: string, args: Record<string, unknown>): Promise<Record<string, unknown>> {
  asker.send(op, args)
  for (;;) {
    const message = await asker.next(20_000)
    if (message['id'] === undefined) continue
    expect(message).toMatchObject({ ok: true })
    return message
  }
}

it('grants, reloads by SIGHUP and old sockets go on while the keeper is stopped; it has all of that later', {
  timeout: 60_000,
}, async () => {
  const daemon = await startKept({ sockets: named('web') + named('other') })
  const broker = await brokerPid(daemon)
  const [holder, other] = [await Asker.connect(daemon.control), await Asker.connect(daemon.control)]
  const { message, fds } = await holder.received('acquire', { name: 'web', ready: true })
  atEnd(() => closeAll(fds))
  rewrite(daemon, named('web', NEW_SOCKET) + named('other'))
  expect(await other.ask('reload')).toMatchObject({ ok: true })
  daemon.process.kill('SIGSTOP')
  atEnd(() => daemon.process.kill('SIGCONT'))
  await overwhelm(daemon, other)
  closeAll(fds)
  await until(() => saysOnce(daemon, 'old socket closed'), 'the old socket ends')
  rewrite(daemon, named('web', NEW_SOCKET) + named('other') + named('more'))
  process.kill(broker, 'SIGHUP')
  await until(() => daemon.logs().filter(({ msg }) => msg === 'reload').length === 2, 'the reload is done')
  expect(await holder.ask('release', { lease: message['lease'] })).toMatchObject({ ok: true })
  expect(await brokerPid(daemon)).toBe(broker)
  const names = ['web', 'other', 'more']
  const sockets = await Promise.all(names.map((name) => socketsOf(daemon, name)))
  daemon.process.kill('SIGCONT')
  await until(() => saysOnce(daemon, 'the keeper has everything again'), 'the keeper has it')
  await killBroker(daemon)
  expect(await Promise.all(names.map((name) => socketsOf(daemon, name)))).toEqual(sockets)
  holder.close()
  other.close()
  await stopCleanly(daemon)
})

it('a broker that ends while its keeper is stopped leaves everything to the one that is started then', {
  timeout: 60_000,
}, async () => {
  const unix = '[sockets.unix]\nlisten = "unix://{dir}/unix.sock"\nallow = ["any"]\n'
  const daemon = await startKept({ sockets: unix + named('other') })
  const broker = await brokerPid(daemon)
  const asker = await Asker.connect(daemon.control)
  daemon.process.kill('SIGSTOP')
  atEnd(() => daemon.process.kill('SIGCONT'))
  await overwhelm(daemon, asker)
  process.kill(broker, 'SIGINT')
  await until(() => /\) Z /.test(readFileSync(`/proc/${broker}/stat`, 'utf8')), 'it has ended', 20_000)
  daemon.process.kill('SIGCONT')
  await until(() => daemon.logs().filter(({ msg }) => msg === 'serving').length === 2, 'another serves')
  const client = createConnection(`${daemon.directory}/unix.sock`)
  await once(client, 'connect')
  client.destroy()
  asker.close()
  await stopCleanly(daemon)
})
