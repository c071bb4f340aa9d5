// After kill -9 of the broker: programs that were started by exec, or have process-bound leases, notice nothing.

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { trace } from '../../bench/recovery/tracer.mjs'
import { addon, constants } from '../../src/sys/addon.ts'
import { OwnedFd } from '../../src/sys/index.ts'
import { Asker, type Message } from '../support/asker.ts'
import { type Daemon, stopCleanly, until } from '../support/daemon.ts'
import { start } from '../support/exec.ts'
import { brokerPid, killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'

forbidLeaks()
endPythons()

const HAS_STRACE = spawnSync('strace', ['-V']).status === 0

const UID = process.getuid!()
const SOCKETS = `[sockets.web]
listen = "unix://{dir}/web.sock"
allow = ["user:${UID}"]
drain_timeout = "5s"`

function say(path: string, text: string): void {
  using socket = new OwnedFd(addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0))
  const result = addon.sendTo(socket.fd, Buffer.from(text), null, constants.AF_UNIX, path, 0)
  if (result < 0) throw new Error(`sendto ${path}: ${result}`)
}

async function holders(daemon: Daemon): Promise<Message[]> {
  const asker = await Asker.connect(daemon.control)
  const { holders } = (await asker.ask('holders')) as { holders: Message[] }
  asker.close()
  return holders.filter(({ lease }) => lease !== null)
}

it('its notify socket has the same path, and what was said while there was no broker is heard', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const asker = await Asker.connect(daemon.control)
  const { lease, notify } = await asker.ask('acquire', { name: 'web', bind: 'process' })
  asker.close()
  const killed = killBroker(daemon)
  await until(() => daemon.logs().some(({ by }) => by === 'signal 9'), 'it is dead')
  say(notify as string, 'READY=1\nSTATUS=said to nobody')
  await killed
  await until(async () => (await holders(daemon))[0]?.['state'] === 'ready', 'READY=1 is heard')
  expect((await holders(daemon))[0]).toMatchObject({ lease, status: 'said to nobody' })
  await killBroker(daemon)
  say(notify as string, 'STATUS=said to the third')
  await until(async () => (await holders(daemon))[0]?.['status'] === 'said to the third', 'it is heard')
  const back = await Asker.connect(daemon.control)
  expect(await back.ask('release', { lease })).toMatchObject({ ok: true })
  await until(() => readdirSync(`${daemon.control}.notify`).length === 0, 'the path goes with the lease')
  back.close()
  await stopCleanly(daemon)
})

it('needs no reclaim; with one, it is told by event again', async () => {
  const daemon = await startKept({ sockets: SOCKETS, broker: 'reclaim_timeout = "300ms"' })
  const asker = await Asker.connect(daemon.control)
  const grant = await asker.ask('acquire', { name: 'web', bind: 'process', ready: true })
  const lease = grant['lease'] as number
  await killBroker(daemon)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(await holders(daemon)).toMatchObject([{ lease, state: 'ready' }])
  const back = await Asker.connect(daemon.control)
  const reclaimed = await back.ask('reclaim', { lease, name: 'web' })
  expect(reclaimed).toMatchObject({ lease, state: 'ready', notify: grant['notify'], sockets: grant['sockets'] })
  const admin = await Asker.connect(daemon.control)
  await admin.ask('drain', { lease })
  expect(await back.next()).toMatchObject({ event: 'drain', lease })
  await back.ask('release', { lease })
  back.close()
  admin.close()
  await stopCleanly(daemon)
})

it('a program started by exec is drained by signal; one that ended meanwhile is found dead', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const program = [
    'python3',
    '-c',
    'import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); print("runs", flush=True)\nwhile 1: signal.pause()',
  ]
  const first = start(daemon, ['exec', 'web', '--ready-after', '0', '--', ...program])
  const second = start(daemon, ['exec', 'web', '--ready-after', '0', '--', ...program])
  await until(async () => (await holders(daemon)).every(({ state }) => state === 'ready'), 'both are ready')
  await until(() => [first, second].every(({ stdout }) => stdout() === 'runs\n'), 'both run')
  const killed = killBroker(daemon)
  second.kill('SIGKILL')
  await killed
  await until(async () => (await holders(daemon)).length === 1, 'the dead one is found')
  expect(await holders(daemon)).toMatchObject([{ pid: first.pid, state: 'ready' }])
  const admin = await Asker.connect(daemon.control)
  await admin.ask('drain', { name: 'web' })
  admin.close()
  expect(await first.exit()).toBe(0)
  await until(async () => (await holders(daemon)).length === 0, 'it has left')
  await stopCleanly(daemon)
})

it('exec that waits for a name waits on, and gets it from the broker that comes after', async () => {
  const sockets = `${SOCKETS}\n[sockets.zone]\nlisten = "unix://{dir}/zone.sock"\nallow = ["user:${UID}"]\nmode = "exclusive"\ndrain_timeout = "5s"`
  const daemon = await startKept({ sockets })
  const program = ['python3', '-c', 'import signal; signal.pause()']
  const first = start(daemon, ['exec', 'web,zone', '--', ...program])
  await until(
    async () => (await holders(daemon)).filter(({ state }) => state === 'ready').length >= 1,
    'the first runs',
  )
  const standby = start(daemon, ['exec', 'web,zone', '--wait', '60', '--', ...program])
  await until(async () => (await holders(daemon)).length === 3, 'the standby has the shared name')
  for (let times = 0; times < 2; times++) await killBroker(daemon)
  await until(async () => (await waiting(daemon)) === 1, 'it waits again')
  expect((await holders(daemon)).length).toBe(3)
  first.kill('SIGKILL')
  const own = ({ pid }: Message) => pid === standby.pid
  await until(async () => (await holders(daemon)).every(own), 'the first is gone')
  await until(async () => (await holders(daemon)).filter(({ state }) => state === 'ready').length >= 1, 'it runs')
  expect((await holders(daemon)).map(({ name }) => name).sort()).toEqual(['web', 'zone'])
  standby.kill('SIGKILL')
  await stopCleanly(daemon)
})

async function waiting(daemon: Daemon): Promise<number> {
  const asker = await Asker.connect(daemon.control)
  const { sockets } = (await asker.ask('list')) as { sockets: { waiting: number }[] }
  asker.close()
  return sockets.reduce((sum, view) => sum + view.waiting, 0)
}

it.runIf(HAS_STRACE)(
  'a holder that does not come back for its lease is told to drain, also when the broker dies right before it tells it (needs strace)',
  async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const holder = startPython(
      `sys.path.insert(0, sys.argv[1])
import fdbroker
signal.signal(signal.SIGTERM, lambda *_: say('told'))
broker = fdbroker.Connection(sys.argv[2])
broker.hello()
broker.acquire('web', bind='process', ready=True)
say('holds')
while True: signal.pause()`,
      [join(import.meta.dirname, '../python'), daemon.control],
    )
    expect(await holder.line()).toBe('holds')
    const admin = await Asker.connect(daemon.control)
    const pid = await brokerPid(daemon)
    const tracer = await trace(pid, 'sendmsg', 1)
    void admin.ask('drain', { name: 'web' }).catch(() => {})
    await until(async () => (await brokerPid(daemon).catch(() => pid)) !== pid, 'another broker answers')
    expect(tracer.killedAt()).toContain('sendmsg(')
    expect(await holder.line()).toBe('told')
    expect(await holders(daemon)).toMatchObject([{ pid: holder.pid, state: 'draining' }])
    admin.close()
    tracer.stop()
    holder.process.kill('SIGKILL')
    await holder.exit()
    await stopCleanly(daemon)
  },
)
