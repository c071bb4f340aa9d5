// Reloads of a broker under a keeper: while it is upgraded, and while it is killed.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { childrenOf, stopCleanly, until } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { brokerPid, killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { seeded } from '../support/random.ts'
import { cookies, list, portOf, refuses, rewrite } from '../support/reloading.ts'
import { install } from '../support/upgrade.ts'

forbidLeaks()
const installedCopy = useInstalledCopy()

const name = (title: string, listen: string, more = '') =>
  `[sockets.${title}]\nlisten = "${listen}"\nallow = ["any"]\n${more}\n`
const web = name('web', 'tcp://127.0.0.1:0')
const api = name('api', 'unix://{dir}/api.sock')

it('a reload gives up the upgrade that is under way; a dry run does not', async () => {
  const daemon = await startKept({ sockets: web })
  const before = await brokerPid(daemon)
  const asker = await Asker.connect(daemon.control)
  rewrite(daemon, web + api)
  asker.send('upgrade')
  asker.send('reload')
  const answers = [await asker.next(15_000), await asker.next(15_000)]
  expect(answers.find(({ code }) => code !== undefined)).toMatchObject({
    ok: false,
    code: 'BUSY',
    message: expect.stringContaining('the broker was told to reload'),
  })
  expect(answers.find(({ ok }) => ok === true)).toMatchObject({ added: ['api'], unchanged: ['web'] })
  await until(() => childrenOf(daemon.pid).join() === String(before), 'the new broker has gone, and this one goes on')
  expect((await list(daemon)).map((each) => each.name)).toEqual(['web', 'api'])
  asker.send('upgrade')
  asker.send('reload', { dryRun: true })
  expect(await asker.next(15_000)).toMatchObject({ ok: true, unchanged: ['web', 'api'] })
  expect(await asker.next(15_000)).toMatchObject({ ok: true, from: { pid: before } })
  asker.close()
  expect((await list(daemon)).map((each) => each.name)).toEqual(['web', 'api'])
  await stopCleanly(daemon)
})

it('a reload by SIGHUP that fails half-way is said, and ends no broker', async () => {
  const copy = installedCopy()
  const daemon = await startKept({ sockets: web, cli: join(copy, 'dist/cli/main.js') })
  install(copy, 'dist/daemon/apply-config.js', (text) =>
    text.replace('host.step(', "if (next.names.has('api')) throw new Error('half-way'); $&"),
  )
  const broker = await killBroker(daemon)
  rewrite(daemon, web + api)
  daemon.process.kill('SIGHUP')
  await until(() => daemon.logs().some(({ msg }) => msg === 'reload failed'), 'it is said')
  rewrite(daemon, web)
  daemon.process.kill('SIGHUP')
  await until(() => daemon.logs().some(({ msg }) => msg === 'reload'), 'the next one is done')
  expect(await brokerPid(daemon)).toBe(broker)
  await stopCleanly(daemon)
})

it('20 reloads, in each of which the broker is killed: it comes back with the file before or after, never with a mixture', {
  timeout: 300_000,
}, async () => {
  const random = seeded(11)
  const drain = 'drain_timeout = "200ms"'
  const round = (at: number) =>
    name('steady', 'tcp://127.0.0.1:0') +
    name('web', `tcp://127.0.0.1:${port}`, `backlog = ${100 + at}\n${drain}`) +
    name('api', 'unix://{dir}/api.sock', `backlog = ${100 + at}\n${drain}`) +
    (at % 2 === 0 ? '' : name('extra', 'unix://{dir}/extra.sock', drain))
  const daemon = await startKept({ sockets: name('steady', 'tcp://127.0.0.1:0') + web })
  const port = await portOf(daemon, 'web')
  rewrite(daemon, round(0))
  const first = await Asker.connect(daemon.control)
  expect(await first.ask('reload')).toMatchObject({ ok: true })
  first.close()
  const steady = await cookies(daemon, 'steady')
  const applied: number[] = [0]
  for (let at = 1; at <= 20; at++) {
    rewrite(daemon, round(at))
    const asker = await Asker.connect(daemon.control)
    // Hello would be answered only after the reload.
    const broker = await brokerPid(daemon)
    // The first is killed before it reloads, and the second when it has; the others whenever it is.
    if (at === 1) process.kill(broker, 'SIGSTOP')
    asker.send('reload')
    if (at === 2) expect(await asker.next()).toMatchObject({ ok: true })
    else if (at > 2) await sleep(random() * 30)
    await killBroker(daemon, 'SIGKILL', broker)
    asker.close()
    const listed = await list(daemon)
    const limits = new Map(listed.map((each) => [each.name, each.sockets[0]!.limit]))
    const now = limits.get('web')! - 100
    expect([applied.at(-1), at]).toContain(now)
    expect(limits.get('api')).toBe(100 + now)
    expect([at, limits.has('extra')]).toEqual([at, now % 2 === 1])
    expect(await cookies(daemon, 'steady')).toEqual(steady)
    expect(await refuses(port)).toBe(false)
    applied.push(now)
  }
  expect(applied.slice(0, 3)).toEqual([0, 0, 2])
  rewrite(daemon, round(21))
  const last = await Asker.connect(daemon.control)
  expect(await last.ask('reload')).toMatchObject({ ok: true })
  last.close()
  expect((await list(daemon)).map((each) => each.name).sort()).toEqual(['api', 'extra', 'steady', 'web'])
  await stopCleanly(daemon)
})
