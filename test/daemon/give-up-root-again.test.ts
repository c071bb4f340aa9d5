// A broker that gave up root, when another takes its place and when a socket takes another's.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { Attacker } from '../support/attacker.ts'
import { type Daemon, IS_ROOT, NOBODY, until } from '../support/daemon.ts'
import { brokerPid, killBroker, socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { ask, askSteadily, privilegedPort } from '../support/steady-client.ts'
import { startSteadyWorker } from '../support/steady-worker.ts'
import { runUpgrade } from '../support/upgrade.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const FIELDS = ['Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs']

/** What every thread of the broker may; all have to agree. */
function rights(pid: number): Record<string, string> {
  const found = readdirSync(`/proc/${pid}/task`).map((task) => {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')
    return Object.fromEntries(
      FIELDS.map((field) => [field, new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(status)![1]!.trim()]),
    )
  })
  for (const one of found) expect(one).toEqual(found[0])
  return found[0]!
}

/** A port below 1024, where binding anew needs a capability. */
async function startLow(more = ''): Promise<{ daemon: Daemon; port: number }> {
  const port = await privilegedPort()
  const sockets = `[sockets.web]\nlisten = "tcp://127.0.0.1:${port}"\nallow = ["any"]\n${more}`
  return { daemon: await startKept({ sockets, broker: 'user = "nobody"' }), port }
}

const WAYS: [string, (daemon: Daemon) => Promise<void>][] = [
  ['an upgrade', async (daemon) => expect(await runUpgrade(daemon)).toMatchObject({ status: 0 })],
  ['kill -9', async (daemon) => void (await killBroker(daemon))],
]

/** Whose place the kernel has no way back to: the guard puts another socket there. */
const CLAMP = 'opt(TCP, socket.TCP_WINDOW_CLAMP, 1)'

describe.runIf(IS_ROOT)('under a keeper, a broker of root with user = "nobody" (needs root)', () => {
  it.each(WAYS)('has a successor with the same rights and sockets, and no client fails: %s', async (_, end) => {
    const { daemon, port } = await startLow()
    const [first, sockets] = [await brokerPid(daemon), await socketsOf(daemon, 'web')]
    const before = rights(first)
    expect(before).toMatchObject({ Uid: Array(4).fill(NOBODY).join('\t'), NoNewPrivs: '1' })
    const worker = await startSteadyWorker(daemon.control, 'web')
    const stop = askSteadily(port, 10)
    for (let times = 0; times < 2; times++) await end(daemon)
    const last = await brokerPid(daemon)
    expect(last).not.toBe(first)
    expect(rights(last)).toEqual(before)
    expect(await socketsOf(daemon, 'web')).toEqual(sockets)
    const attempts = await stop()
    expect(attempts.length).toBeGreaterThan(5)
    expect(attempts.filter(({ error }) => error !== undefined)).toEqual([])
    // It looks into processes of other users and grants to them as the first one did.
    const stranger = startWorker(daemon, "say(code(granted, connect(), 'web'))", 60_001)
    expect(await stranger.line()).toBe('ok')
    await stranger.exit()
    worker.kill('SIGKILL')
    expect(await daemon.stop()).toBe(0)
  })

  it.each([
    ['the first broker', undefined],
    ['one that came by an upgrade', WAYS[0]![1]],
    ['one that came after kill -9', WAYS[1]![1]],
  ])('%s replaces a socket on a low port: by the guard, and by a reload', async (_, end) => {
    const { daemon, port } = await startLow('drain_timeout = "300ms"\n')
    await end?.(daemon)
    const cookie = async () => (await socketsOf(daemon, 'web'))[0]!.cookie
    const first = await cookie()
    const attacker = await Attacker.hold(daemon.control, ['web'])
    expect(await attacker.run(CLAMP)).toBe('done')
    await until(async () => (await cookie()) !== first, 'the guard replaced it')
    await attacker.end()
    const second = await cookie()
    const admin = await Asker.connect(daemon.control)
    const text = readFileSync(daemon.config, 'utf8')
    writeFileSync(daemon.config, `${text}sockopt = [{ level = 6, name = 18, value = 30000 }]\n`)
    expect(await admin.ask('reload')).toMatchObject({ ok: true })
    admin.close()
    expect(await cookie()).not.toBe(second)
    await until(
      () => daemon.logs().filter(({ msg }) => msg === 'old socket closed').length === 2,
      'both old ones close',
    )
    const worker = await startSteadyWorker(daemon.control, 'web')
    for (let times = 0; times < 5; times++) expect(await ask(port)).toMatchObject({ answer: String(worker.pid) })
    worker.kill('SIGKILL')
    expect(await daemon.stop()).toBe(0)
  })
})
