import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { stopCleanly, until } from '../support/daemon.ts'
import { killBroker, socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { cli, portOf, refuses, rewrite } from '../support/reloading.ts'

forbidLeaks()

it.each([
  ['is broken', 'listen = {'],
  ['says something else', '[sockets.other]\nlisten = "tcp://127.0.0.1:0"\n'],
])(
  'a broker that comes after a death goes on with the configuration that was applied, when the file %s by now',
  async (_what, text) => {
    const sockets = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:${process.getuid!()}"]`
    const daemon = await startKept({ sockets })
    const before = await socketsOf(daemon, 'web')
    writeFileSync(daemon.config, text)
    for (let times = 0; times < 2; times++) {
      await killBroker(daemon)
      expect(await socketsOf(daemon, 'web')).toEqual(before)
    }
    const asker = await Asker.connect(daemon.control)
    expect(await asker.ask('acquire', { name: 'web' })).toMatchObject({ ok: true })
    asker.close()
    await stopCleanly(daemon)
  },
)

const NAME = (name: string) =>
  `[sockets.${name}]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\ndrain_timeout = "6s"\n`

it('a removed name that drains keeps its sockets and leases over deaths, comes back as it was, or is closed at its deadline', async () => {
  const daemon = await startKept({ sockets: NAME('web') + NAME('old') })
  const asker = await Asker.connect(daemon.control)
  const grant = await asker.ask('acquire', { name: 'old', ready: true })
  const [before] = await socketsOf(daemon, 'old')
  const port = await portOf(daemon, 'old')
  rewrite(daemon, NAME('web'))
  expect((await cli(daemon, 'reload')).stdout).toContain('removed    old')
  for (let times = 0; times < 2; times++) await killBroker(daemon)
  expect(await refuses(port)).toBe(false)
  const back = await Asker.connect(daemon.control)
  const reclaimed = await back.ask('reclaim', { lease: grant['lease'], name: 'old' })
  expect(reclaimed).toMatchObject({ ok: true, state: 'draining', sockets: [{ cookie: before!.cookie }] })
  rewrite(daemon, NAME('web') + NAME('old'))
  expect((await cli(daemon, 'reload')).stdout).toContain('added      old')
  expect(await socketsOf(daemon, 'old')).toEqual([before])
  rewrite(daemon, NAME('web'))
  await cli(daemon, 'reload')
  await killBroker(daemon)
  const waits = net.connect(port, '127.0.0.1')
  const ended = new Promise<string>((resolve) => {
    waits.once('error', ({ message }) => resolve(message)).once('close', () => resolve('closed'))
  })
  expect(await ended).toContain('ECONNRESET')
  await until(() => refuses(port), 'the port is free')
  asker.close()
  back.close()
  await stopCleanly(daemon)
})
