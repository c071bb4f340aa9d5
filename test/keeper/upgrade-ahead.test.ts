// The new broker of an upgrade looks at what there is while the old one still serves; what changes after that it must not miss.

import { readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Asker, type Message } from '../support/asker.ts'
import { type Daemon, stopCleanly, until } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { install, runUpgrade } from '../support/upgrade.ts'

forbidLeaks()
const installedCopy = useInstalledCopy()

const SOCKETS = `[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock", "unix-dgram://{dir}/web.dgram"]
allow = ["user:${process.getuid!()}"]
[sockets.other]
listen = "tcp://127.0.0.1:0"
allow = ["user:${process.getuid!()}"]`

/** `begin` resolves when the new broker has looked; it says that it is prepared when `goOn` is called, which resolves with the upgrade. */
async function dawdlingUpgrade() {
  const copy = installedCopy()
  const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, 'dist/cli/main.js') })
  const sockets = await socketsOf(daemon, 'web')
  const go = join(daemon.directory, 'go')
  const there = `process.getBuiltinModule('fs').existsSync('${go}')`
  const dawdle = `process.stderr.write('looked'); while (!${there}) addon.wait(-1, 0, 10);`
  install(copy, 'dist/sys/keeper.js', (text) => text.replace('prepared(program, version) {', `$& ${dawdle}`))
  const begin = async () => {
    const upgrade = runUpgrade(daemon)
    await until(() => daemon.stderr().includes('looked'), 'the new broker has looked')
    const goOn = () => {
      writeFileSync(go, '')
      return upgrade
    }
    return { goOn }
  }
  return { daemon, sockets, begin, asker: await Asker.connect(daemon.control) }
}

async function holders(daemon: Daemon): Promise<unknown[][]> {
  const viewer = await Asker.connect(daemon.control)
  const { holders } = (await viewer.ask('holders')) as { holders: Message[] }
  viewer.close()
  return holders.filter(({ lease }) => lease !== null).map(({ lease, name, state }) => [lease, name, state])
}

/** The memory file that the keeper has of the state. */
function stateFile({ pid }: Daemon): string | undefined {
  const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`)
  try {
    const found = fds.find((fd) => readlinkSync(fd).startsWith('/memfd:fd-broker-state'))
    return found && String(statSync(found).ino)
  } catch {
    return undefined // one of them was closed meanwhile: it has another now
  }
}

it('leases that are taken and given back after the look are known, and those that were before', async () => {
  const { daemon, sockets, asker, begin } = await dawdlingUpgrade()
  const early = await asker.lease('web', { ready: true })
  const given = await asker.lease('web', { bind: 'process' })
  const { goOn } = await begin()
  const late = await asker.lease('web', { bind: 'process' })
  const other = await Asker.connect(daemon.control)
  const bound = await other.lease('other', { bind: 'process', ready: true })
  expect(await asker.ask('release', { lease: given })).toMatchObject({ ok: true })
  expect((await goOn()).status).toBe(0)
  expect(await holders(daemon)).toEqual([
    [early, 'web', 'ready'],
    [late, 'web', 'granted'],
    [bound, 'other', 'ready'],
  ])
  expect(await socketsOf(daemon, 'web')).toEqual(sockets)
  const back = await Asker.connect(daemon.control)
  for (const [lease, name] of [
    [early, 'web'],
    [late, 'web'],
    [bound, 'other'],
  ] as const) {
    expect(await back.ask('reclaim', { lease, name })).toMatchObject({ ok: true, lease })
    expect(await back.ask('release', { lease })).toMatchObject({ ok: true })
  }
  for (const each of [asker, other, back]) each.close()
  await stopCleanly(daemon)
})

it('a state that is written anew after the look is read anew', { timeout: 60_000 }, async () => {
  const { daemon, asker, begin } = await dawdlingUpgrade()
  const early = await asker.lease('web', { ready: true })
  const { goOn } = await begin()
  const before = stateFile(daemon)
  let last = early
  // A history of a thousand events is written over and over.
  while (stateFile(daemon) === before) {
    last = await asker.lease('other', { ready: true })
    expect(await asker.ask('release', { lease: last })).toMatchObject({ ok: true })
  }
  expect((await goOn()).status).toBe(0)
  expect(await holders(daemon)).toEqual([[early, 'web', 'ready']])
  const back = await Asker.connect(daemon.control)
  expect(await back.ask('reclaim', { lease: early, name: 'web' })).toMatchObject({ ok: true })
  expect(await back.lease('other')).toBeGreaterThan(last)
  for (const each of [asker, back]) each.close()
  await stopCleanly(daemon)
})

it.each([
  ['that takes over', '', 0],
  ['that fails then', "process.kill(process.pid, 'SIGKILL');", 1],
])(
  'what a new broker %s does to the sockets is no holder’s doing: nothing is said to be repaired, then or later',
  {
    timeout: 60_000,
  },
  async (_, then, status) => {
    const copy = installedCopy()
    const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, 'dist/cli/main.js') })
    const asker = await Asker.connect(daemon.control)
    const lease = await asker.lease('web', { ready: true })
    // The old one looks at each socket once a second.
    install(copy, 'dist/sys/keeper.js', (text) =>
      text.replace(/^ {4}ready\(\) \{$/m, `    ready() { addon.wait(-1, 0, 150); ${then}`),
    )
    for (let times = 0; times < 5; times++) expect((await runUpgrade(daemon)).status).toBe(status)
    // So does the new one.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(daemon.logs().filter(({ msg }) => /repaired/.test(String(msg)))).toEqual([])
    const back = await Asker.connect(daemon.control)
    await back.ask('reclaim', { lease, name: 'web' })
    await back.ask('release', { lease })
    for (const each of [asker, back]) each.close()
    await stopCleanly(daemon)
  },
)
