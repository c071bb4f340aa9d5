// Want of descriptors or memory, while a holder breaks sockets: what cannot be done now is done later, and no socket is given up for it.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { KeptDescriptors } from '../../src/daemon/kept-descriptors.ts'
import { Sockets } from '../../src/daemon/sockets.ts'
import { openSocket, openSuccessor } from '../../src/sys/index.ts'
import { Asker, type Message } from '../support/asker.ts'
import { Attacker } from '../support/attacker.ts'
import { config } from '../support/config-texts.ts'
import { type Daemon, IS_ROOT, startDaemon, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { prepareFaults } from '../support/faults.ts'
import { times } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { endPythons } from '../support/python.ts'

forbidLeaks()
endPythons()

const ALLOW = 'allow = ["any"]'

async function listed(viewer: Asker, name: string): Promise<{ state: string; cookie: string }> {
  const names = (await viewer.ask('list'))['sockets'] as Message[]
  const found = names.find((one) => one['name'] === name)!
  return { state: found['state'] as string, cookie: (found['sockets'] as { cookie: string }[])[0]!.cookie }
}

/** 1: the process keeps what it has, and gets no other. */
const limit = (daemon: Daemon, descriptors: number) =>
  execFileSync('prlimit', ['--pid', String(daemon.pid), `--nofile=${descriptors}:`])

const isBlind = ({ msg }: Record<string, unknown>) => String(msg).includes('cannot look at a socket')

describe.runIf(IS_ROOT)('a broker for which something is short (needs root, to be another user)', () => {
  it('gives a lost socket up once it has a descriptor for it, and takes no other for shut', async () => {
    const at = `fd-broker-test-short-${process.pid}`
    const daemon = await startDaemon({
      sockets: `[sockets.a]\nlisten = "unix://@${at}"\n${ALLOW}\n[sockets.b]\nlisten = "unix://{dir}/b.sock"\n${ALLOW}\n`,
    })
    const attacker = await Attacker.hold(daemon.control, ['a'])
    const viewer = await Asker.connect(daemon.control)
    const before = await listed(viewer, 'b')
    await attacker.run('held.shutdown(socket.SHUT_RDWR)')
    await until(async () => (await listed(viewer, 'a')).state === 'lost', 'the name is lost')
    limit(daemon, 1)
    await attacker.end()
    await until(() => daemon.logs().filter(isBlind).length >= 2, 'neither socket can be looked at')
    const seen = daemon.logs().length
    await viewer.ask('list')
    await sleep(1500)
    expect((await listed(viewer, 'a')).state).toBe('lost')
    limit(daemon, 1024)
    await until(async () => (await listed(viewer, 'a')).state === 'repaired', 'the name is back')
    expect(await listed(viewer, 'b')).toEqual(before)
    expect(daemon.logs().slice(seen)).not.toContainEqual(expect.objectContaining({ name: 'b' }))
    viewer.close()
    await stopCleanly(daemon)
  })

  it('keeps a socket that it could not set back for want of memory, and sets it back later', {
    timeout: 120_000,
  }, async () => {
    const directory = temporaryDirectory()
    const faults = prepareFaults(directory)
    const daemon = await startDaemon({
      directory,
      env: faults.env,
      sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\n${ALLOW}\n`,
    })
    const attacker = await Attacker.hold(daemon.control, ['web'])
    const viewer = await Asker.connect(daemon.control)
    const before = await listed(viewer, 'web')
    await sleep(1300)
    faults.start('setsockopt', 'ENOMEM')
    const lines = () => daemon.logs().filter(({ msg }) => String(msg).endsWith(': repaired')).length
    for (let round = 0; round < times(3, 30); round++) {
      const told = lines()
      await attacker.run(
        "opt(SOL, 20, struct.pack('ll', 0, 1000)); opt(TCP, socket.TCP_DEFER_ACCEPT, 60); opt(IP, 21, 9)",
      )
      await until(() => lines() > told, 'something is set back')
      const bent = () =>
        attacker.value('held.getsockopt(SOL, 20, 16).hex(), held.getsockopt(TCP, 9), held.getsockopt(IP, 21)')
      await until(async () => (await bent()) === `${'0'.repeat(32)} 0 0`, 'all is set back')
    }
    expect(faults.stop().injected).toBeGreaterThan(0)
    expect((await listed(viewer, 'web')).cookie).toBe(before.cookie)
    expect(daemon.logs().filter(({ msg }) => String(msg).startsWith('lost'))).toEqual([])
    viewer.close()
    await attacker.end()
    await stopCleanly(daemon)
  })

  it('leaves no descriptor behind for a successor that cannot take over', async () => {
    const daemon = await startDaemon({ sockets: `[sockets.a]\nlisten = "unix://{dir}/a.sock"\n${ALLOW}\n` })
    const attacker = await Attacker.hold(daemon.control, ['a'])
    const viewer = await Asker.connect(daemon.control)
    renameSync(`${daemon.directory}/a.sock`, `${daemon.directory}/away`)
    mkdirSync(`${daemon.directory}/a.sock`)
    const open = () => readdirSync(`/proc/${daemon.pid}/fd`).length
    const before = open()
    await attacker.run('held.shutdown(socket.SHUT_RDWR)')
    await until(async () => (await listed(viewer, 'a')).state === 'lost', 'the name is lost')
    await sleep(2200)
    expect(open()).toBe(before)
    expect(readdirSync(daemon.directory).filter((name) => name.includes('a.sock'))).toEqual(['a.sock'])
    viewer.close()
    await attacker.end()
  })
})

it('a socket that the store does not take is closed, here and there, and its address free for the next', () => {
  using store = new MemoryStore()
  const sockets = new Sockets(new KeptDescriptors(store))
  sockets.open(config('[sockets.web]\nlisten = "udp://127.0.0.1:0"\nallow = ["any"]\n').names.values())
  const old = sockets.current().get('web')!.sockets[0]!
  const { socket: next } = openSuccessor(old, {}, 1)
  const put = store.put.bind(store)
  const { fd } = next.fd
  store.put = (key, fds) => {
    put(key, fds)
    if (fds[0] === fd) throw new Error('only a part of it is kept')
  }
  expect(() => sockets.replace('web', 0, next)).toThrow('only a part of it is kept')
  expect([next.fd.closed, sockets.lent('web').fds]).toEqual([true, [old.fd.fd]])
  store.put = put
  sockets.closeAll()
  openSocket(old.address, {}, 1).close()
})
