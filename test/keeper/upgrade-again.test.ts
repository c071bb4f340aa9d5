// Upgrades that follow on one another, and what ends the wait for one.

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { exitOf, stopCleanly, until } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { brokerPid, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { install } from '../support/upgrade.ts'

forbidLeaks()
const installedCopy = useInstalledCopy()

const SOCKETS = `[sockets.web]
listen = "unix://{dir}/web.sock"
allow = ["user:${process.getuid!()}"]`

const start = () => startKept({ sockets: SOCKETS, cli: join(installedCopy(), 'dist/cli/main.js') })

/** A process with so much memory is not gone at once when it is killed. */
const BALLAST = 'globalThis.ballast = Buffer.alloc(600e6, 1)'

it('one that is asked for while the candidate of a failed one is still being ended is made, not refused', async () => {
  const daemon = await start()
  const asker = await Asker.connect(daemon.control)
  install(installedCopy(), 'dist/sys/keeper.js', (text) =>
    text.replace('prepared(program, version) {', `$& ${BALLAST};`),
  )
  install(installedCopy(), 'dist/daemon/kept-descriptors.js', (text) =>
    text.replace('this.kept = store.take();', "this.kept = store.take(); throw new Error('that is not for me')"),
  )
  for (let times = 0; times < 3; times++) {
    asker.send('upgrade')
    expect(await asker.next(20_000)).toMatchObject({ ok: false, message: expect.stringContaining('not for me') })
  }
  asker.close()
  await stopCleanly(daemon)
})

it('one that is asked for as soon as another has come to pass is made', async () => {
  const daemon = await start()
  const pids = new Set([await brokerPid(daemon)])
  for (let times = 0; times < 3; times++) {
    const asker = await Asker.connect(daemon.control)
    asker.send('upgrade')
    const answer = await asker.next(20_000)
    expect(answer).toMatchObject({ ok: true })
    pids.add((answer['to'] as { pid: number }).pid)
    asker.close()
  }
  expect(pids.size).toBe(4)
  await stopCleanly(daemon)
})

it.each([
  ['is being loaded', 1000, 'starting what is installed now'],
  ['was late, and another try is due', 1000, 'another is tried'],
  ['is taking over', 1000, 'this one stops'],
])('who waits for a new broker that %s is answered when the broker is told to stop', async (_, ms, line) => {
  const daemon = await start()
  const asker = await Asker.connect(daemon.control)
  install(installedCopy(), 'dist/sys/keeper.js', (text) =>
    text.replace(/^ {4}ready\(\) \{$/m, `    ready() { addon.wait(-1, 0, ${ms});`),
  )
  asker.send('upgrade')
  await until(() => daemon.logs().some(({ msg }) => String(msg).includes(line)), line)
  daemon.process.kill('SIGTERM')
  expect(await asker.next()).toMatchObject({ ok: false, code: 'BUSY', message: expect.stringMatching(/told to stop/) })
  expect(await exitOf(daemon)).toBe(0)
  asker.close()
})
