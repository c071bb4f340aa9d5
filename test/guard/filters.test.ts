// A kernel on which any holder may attach a filter to a TCP listener: the broker locks the filter of each while there is none. On this
// one the holder is root for that, and the broker is made to believe that he need not be.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Attacker } from '../support/attacker.ts'
import { type Daemon, exitOf, IS_ROOT, startDaemon, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { openKernel } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { cli, cookies, portOf, refuses, rewrite } from '../support/reloading.ts'

forbidLeaks()
endPythons()

const ROOT = 0
const named = (name: string, keys = '', port = 0) =>
  `[sockets.${name}]\nlisten = "tcp://127.0.0.1:${port}"\nallow = ["any"]\ndrain_timeout = "300ms"\n${keys}\n`

function startOpen(sockets: string, directory = temporaryDirectory()): Promise<Daemon> {
  return startDaemon({ sockets, directory, env: openKernel(directory) })
}

/** What the filter's attachment says, and a client's connection then. */
async function stopAll(attacker: Attacker, name = 'web'): Promise<string> {
  const attached = await attacker.run('drop_all()', name)
  return `${attached}, ${await attacker.run('socket.create_connection(held.getsockname(), 1).close()', name)}`
}

const STOPPED = 'done, timed out'
const PREVENTED = 'EPERM, done'
const isRepair = ({ msg }: Record<string, unknown>) => String(msg).endsWith(': repaired')

describe.runIf(IS_ROOT)('a filter on a TCP listener (needs root, for CAP_NET_ADMIN)', () => {
  it('stops all clients where it can be attached, and nobody can attach it where the broker has locked it: there is nothing to repair', async () => {
    const daemon = await startOpen(named('web') + named('open', 'guard = false'))
    const attacker = await Attacker.hold(daemon.control, ['web', 'open'], 1, ROOT)
    expect(await stopAll(attacker, 'open')).toBe(STOPPED)
    expect(await stopAll(attacker)).toBe(PREVENTED)
    await sleep(1200)
    expect(daemon.logs().filter(isRepair)).toEqual([])
    await attacker.end()
    await stopCleanly(daemon)
  })

  it('is not locked where the kernel refuses it to a holder without rights, and is where it does not', async () => {
    const daemon = await startDaemon({ sockets: named('web') })
    const attacker = await Attacker.hold(daemon.control, ['web'])
    const refused = (await attacker.run('probe = held; held = socket.socket(); drop_all()')) === 'EPERM'
    expect(await attacker.value('probe.getsockopt(SOL, 44)')).toBe(refused ? '0' : '1')
    await attacker.end()
    await stopCleanly(daemon)
  })

  it('that a holder attached while there was no broker is detached by the one that takes the socket back, and then locked', async () => {
    const first = await startDaemon({ sockets: named('web') })
    const attacker = await Attacker.hold(first.control, ['web'], 1, ROOT)
    first.process.kill('SIGKILL')
    await exitOf(first)
    expect(await stopAll(attacker)).toBe(STOPPED)
    const next = await startOpen(named('web'), first.directory)
    expect(next.logs().some(({ msg }) => `${msg}`.includes('taken back from a worker'))).toBe(true)
    await until(async () => (await stopAll(attacker)) === PREVENTED, 'it is detached and locked')
    await until(() => next.logs().some(isRepair), 'the log says so')
    expect(next.logs().filter(isRepair)).toMatchObject([{ name: 'web', what: ['filter'] }])
    await attacker.end()
    await stopCleanly(next)
  })

  it('and the lock keeps no reload from replacing the socket; its successor is locked once it is alone at the port', async () => {
    const daemon = await startOpen(named('web'))
    const port = await portOf(daemon, 'web')
    const before = await cookies(daemon, 'web')
    for (const keys of ['free_bind = true', 'free_bind = false', 'tcp_fast_open = 5']) {
      rewrite(daemon, named('web', keys, port))
      expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
      expect(await refuses(port)).toBe(false)
    }
    expect(await cookies(daemon, 'web')).not.toEqual(before)
    const attacker = await Attacker.hold(daemon.control, ['web'], 1, ROOT)
    await until(async () => (await attacker.value('held.getsockopt(SOL, 44)')) === '1', 'it is locked')
    expect(await stopAll(attacker)).toBe(PREVENTED)
    await attacker.end()
    await stopCleanly(daemon)
  })

  it('and the lock keeps the guard from repairing nothing', async () => {
    const daemon = await startOpen(named('web', 'backlog = 16'))
    const attacker = await Attacker.hold(daemon.control, ['web'], 1, ROOT)
    await sleep(1300)
    const attacks =
      'held.shutdown(2); held.listen(1); opt(SOL, 20, struct.pack("ll", 0, 9)); opt(TCP, socket.TCP_WINDOW_CLAMP, 1)'
    expect(await attacker.run(attacks)).toBe('done')
    await until(() => daemon.logs().some((line) => isRepair(line) && line['replaced'] === true), 'it is replaced')
    const visitor = await Attacker.hold(daemon.control, ['web'], 2, ROOT)
    await until(async () => (await visitor.value('held.getsockopt(SOL, 44)')) === '1', 'the successor is locked')
    expect(await stopAll(visitor)).toBe(PREVENTED)
    await visitor.end()
    await attacker.end()
    await stopCleanly(daemon)
  })
})
