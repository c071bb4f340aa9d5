// A broker whose descriptor table is full as it changes what systemd is to store: it lives, and stores it when it can.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { type Daemon, startDaemon, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { brokerPid, type ListedSocket, startKept } from '../support/keeper.ts'
import { forbidLeaks, openFds } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { rewrite } from '../support/reloading.ts'

forbidLeaks()
endPythons()

const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n'
/** TCP_USER_TIMEOUT: what is set by `sockopt` needs a new socket. */
const NEW_SOCKET = 'sockopt = [{ level = 6, name = 18, value = 30000 }]'

/** In systemd's place: says what it is told, one line each. */
const MANAGER = `
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
say('up')
while True: say(s.recv(4096).decode().replace('\\n', ' '))`

async function stage() {
  const path = join(temporaryDirectory(), 'notify')
  const manager = startPython(MANAGER, [path])
  await manager.line()
  const told: string[] = []
  const listening = (async () => {
    for (;;) told.push(await manager.line())
  })().catch(() => {})
  const end = async () => {
    manager.process.kill('SIGKILL')
    await listening
  }
  return { options: { sockets: WEB, env: { NOTIFY_SOCKET: path, FDSTORE: '0' } }, told, end }
}

/** A process may open so many more. */
function leaveFree(pid: number, free: number): void {
  const open = openFds(pid)
  let most = 0
  for (let left = free; left > 0 || open.has(most); most++) if (!open.has(most)) left--
  limit(pid, most)
}

const limit = (pid: number, most: number) => execFileSync('prlimit', ['--pid', String(pid), `--nofile=${most}:`])

/** By a connection that stays, so that what is free stays so. */
async function socketOf(asker: Asker): Promise<ListedSocket> {
  const { sockets } = (await asker.ask('list')) as { sockets: { sockets: ListedSocket[] }[] }
  return sockets[0]!.sockets[0]!
}

const said = (daemon: Daemon, text: string) => daemon.logs().some(({ msg }) => String(msg).startsWith(text))

it('SIGHUP with three descriptors free: the reload is applied, and systemd has the new socket later', async () => {
  const { options, told, end } = await stage()
  const daemon = await startDaemon(options)
  const asker = await Asker.connect(daemon.control)
  const before = await socketOf(asker)
  const stored = () => told.filter((text) => text === 'FDSTORE=1 FDNAME=web FDPOLL=0').length
  await until(() => stored() === 1, 'the socket is stored')
  rewrite(daemon, WEB + NEW_SOCKET)
  leaveFree(daemon.pid, 3)
  daemon.process.kill('SIGHUP')
  await until(() => said(daemon, 'reload'), 'the reload is done')
  expect(said(daemon, 'systemd cannot be given all')).toBe(true)
  limit(daemon.pid, 512)
  await until(() => said(daemon, 'systemd has been given all'), 'systemd has it')
  await until(() => stored() > 1, 'the new socket is stored')
  const after = await socketOf(asker)
  expect([after.address, after.cookie === before.cookie]).toEqual([before.address, false])
  asker.close()
  await stopCleanly(daemon)
  await end()
})

it('SIGHUP with no descriptor free is refused, and the broker lives', async () => {
  const { options, end } = await stage()
  const daemon = await startDaemon(options)
  const asker = await Asker.connect(daemon.control)
  const before = await socketOf(asker)
  rewrite(daemon, WEB + NEW_SOCKET)
  leaveFree(daemon.pid, 0)
  daemon.process.kill('SIGHUP')
  await until(() => said(daemon, 'reload refused') || said(daemon, 'reload failed'), 'it says so')
  limit(daemon.pid, 512)
  expect((await socketOf(asker)).cookie).toBe(before.cookie)
  asker.close()
  await stopCleanly(daemon)
  await end()
})

it('an upgrade with no descriptor free, and a connection that could be handed on, comes to pass', async () => {
  const { options, end } = await stage()
  const daemon = await startKept(options)
  const [idle, operator] = [await Asker.connect(daemon.control), await Asker.connect(daemon.control)]
  const broker = await brokerPid(daemon)
  operator.send('upgrade')
  await until(() => said(daemon, 'upgrade: starting'), 'it is under way')
  leaveFree(broker, 0)
  const answer = await operator.next(20_000)
  expect(answer).toMatchObject({ ok: true, from: { pid: broker } })
  expect(await idle.next()).toMatchObject({ event: 'reconnect' })
  idle.close()
  operator.close()
  await stopCleanly(daemon)
  await end()
})
