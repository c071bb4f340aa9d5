import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { childrenOf, exitOf, startDaemon, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { brokerPid, killBroker, socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { RawClient } from '../support/raw-client.ts'
import { askSteadily } from '../support/steady-client.ts'
import { startSteadyWorker } from '../support/steady-worker.ts'
import { install, replace, runUpgrade } from '../support/upgrade.ts'

forbidLeaks()
const installedCopy = useInstalledCopy()

const SOCKETS = `[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]
allow = ["user:${process.getuid!()}"]
drain_timeout = "300ms"`

const portOf = (address: string) => Number(/:(\d+)$/.exec(address)![1])

describe('an upgrade', () => {
  it('puts what is installed now in place of the broker, with the same sockets, and says which replaced which', async () => {
    const copy = installedCopy()
    const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, 'dist/cli/main.js') })
    const [before, sockets] = [await brokerPid(daemon), await socketsOf(daemon, 'web')]
    install(copy, 'dist/protocol/version.js', (text) => text.replace('0.1.0', '9.9.9'))
    const { status, stdout } = await runUpgrade(daemon)
    const after = await brokerPid(daemon)
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `upgraded: fd-broker 0.1.0 (pid ${before}) -> 9.9.9 (pid ${after})\n`,
    })
    expect(await socketsOf(daemon, 'web')).toEqual(sockets)
    await until(() => childrenOf(daemon.pid).join() === String(after), 'the former broker has gone')
    await stopCleanly(daemon)
  })

  it('tells every client to reconnect, before the connection ends', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const idle = await Asker.connect(daemon.control)
    const asker = await Asker.connect(daemon.control)
    asker.send('upgrade')
    expect(await asker.next(10_000)).toMatchObject({ ok: true, from: { pid: expect.any(Number) } })
    expect(await asker.next()).toEqual({ event: 'reconnect' })
    expect(await idle.next()).toEqual({ event: 'reconnect' })
    await until(() => idle.client.closed && asker.client.closed, 'the connections end')
    await stopCleanly(daemon)
  })

  it('five times in a row fails no client of the workers and refuses nobody', { timeout: 60_000 }, async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const [tcp] = await socketsOf(daemon, 'web')
    const worker = await startSteadyWorker(daemon.control, 'web')
    const stop = askSteadily(portOf(tcp!.address), 5)
    for (let times = 0; times < 5; times++) expect((await runUpgrade(daemon)).status).toBe(0)
    const attempts = await stop()
    expect(attempts.length).toBeGreaterThan(20)
    expect(attempts.filter(({ error }) => error !== undefined)).toEqual([])
    worker.kill('SIGKILL')
    await stopCleanly(daemon)
  })

  it.each(['tcp://127.0.0.1:0', 'unix://{dir}/metrics.sock'])('goes on with the metrics at %s', async (address) => {
    const directory = temporaryDirectory()
    const broker = `metrics = "${address.replace('{dir}', directory)}"`
    const daemon = await startKept({ sockets: SOCKETS, broker, directory })
    const where = () => daemon.logs().flatMap(({ msg, address }) => (msg === 'metrics' ? [address] : []))
    expect((await runUpgrade(daemon)).status).toBe(0)
    await killBroker(daemon)
    expect(where().length).toBe(3)
    expect(new Set(where()).size).toBe(1)
    await stopCleanly(daemon)
  })

  it('is refused at once by a broker whose keeper has gone, which goes on', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const broker = await brokerPid(daemon)
    daemon.process.kill('SIGKILL')
    await until(() => daemon.logs().some(({ msg }) => String(msg).includes('the keeper has gone')), 'it says so')
    const asker = await Asker.connect(daemon.control)
    expect(await asker.ask('upgrade')).toMatchObject({ ok: false, code: 'UNSUPPORTED' })
    expect(await brokerPid(daemon)).toBe(broker)
    asker.close()
    process.kill(broker, 'SIGTERM')
    await until(() => !existsSync(daemon.control), 'it ends')
  })

  it('fails when the keeper ends amid it: the broker thaws and goes on', async () => {
    const copy = installedCopy()
    const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, 'dist/cli/main.js') })
    const broker = await brokerPid(daemon)
    const asker = await Asker.connect(daemon.control)
    install(copy, 'dist/cli/main.js', () => 'setInterval(() => {}, 1000)\n')
    asker.send('upgrade')
    await until(() => childrenOf(daemon.pid).length === 2, 'the new broker is started')
    const candidate = childrenOf(daemon.pid).find((pid) => pid !== broker)!
    atEnd(() => process.kill(candidate, 'SIGKILL'))
    daemon.process.kill('SIGKILL')
    expect(await asker.next()).toMatchObject({
      ok: false,
      code: 'SYSTEM',
      message: expect.stringContaining('the keeper has gone'),
    })
    expect(await brokerPid(daemon)).toBe(broker)
    asker.close()
    process.kill(broker, 'SIGTERM')
    await until(() => !existsSync(daemon.control), 'it ends')
  })

  it('is refused while another one is under way', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const asker = await Asker.connect(daemon.control)
    asker.send('upgrade')
    asker.send('upgrade')
    expect(await asker.next(10_000)).toMatchObject({ ok: false, code: 'BUSY' })
    expect(await asker.next(10_000)).toMatchObject({ ok: true })
    asker.close()
    await stopCleanly(daemon)
  })

  it('is given up when the broker is told to stop meanwhile', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const asker = await Asker.connect(daemon.control)
    asker.send('upgrade')
    await until(() => childrenOf(daemon.pid).length === 2, 'the new one is started')
    expect(await daemon.stop()).toBe(0)
    asker.close()
  })

  it('is refused by a broker that waits for its holders to drain, which ends all the same', async () => {
    const daemon = await startKept({ sockets: SOCKETS.replace('300ms', '20s') })
    const broker = await brokerPid(daemon)
    const holder = await Asker.connect(daemon.control)
    const lease = await holder.lease('web', { ready: true })
    daemon.process.kill('SIGTERM')
    expect(await holder.next()).toMatchObject({ event: 'drain', reason: 'shutdown' })
    expect(await holder.ask('upgrade')).toMatchObject({ ok: false, code: 'BUSY' })
    expect(await brokerPid(daemon)).toBe(broker)
    await holder.ask('release', { lease })
    expect(await exitOf(daemon)).toBe(0)
    holder.close()
  })

  it('without a keeper is UNSUPPORTED', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const asker = await Asker.connect(daemon.control)
    expect(await asker.ask('upgrade')).toMatchObject({ ok: false, code: 'UNSUPPORTED' })
    asker.close()
    await stopCleanly(daemon)
  })

  it('survives the death of the broker in the middle of it', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const before = await brokerPid(daemon)
    const upgrade = runUpgrade(daemon)
    await until(() => childrenOf(daemon.pid).length === 2, 'the new one is started')
    process.kill(before, 'SIGKILL')
    await upgrade
    await until(async () => (await brokerPid(daemon).catch(() => before)) !== before, 'another broker answers')
    await until(() => childrenOf(daemon.pid).length === 1, 'there is one broker')
    await stopCleanly(daemon)
  })
})

describe('an upgrade of the keeper', () => {
  const PROGRAM = 'build/Release/fd-broker-keeper'
  const inode = (pid: number) => statSync(`/proc/${pid}/exe`).ino

  async function withNewKeeper(make: (program: Buffer) => string | Uint8Array) {
    const copy = installedCopy()
    const path = join(copy, PROGRAM)
    const program = readFileSync(path)
    atEnd(() => replace(path, program))
    const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, 'dist/cli/main.js') })
    const before = inode(daemon.pid)
    const sockets = await socketsOf(daemon, 'web')
    replace(path, make(program))
    expect((await runUpgrade(daemon)).status).toBe(0)
    await until(() => childrenOf(daemon.pid).length === 1, 'the former broker has gone')
    return { daemon, before, sockets, path }
  }

  it('keeps its pid, its broker and its descriptors', async () => {
    const { daemon, before, sockets, path } = await withNewKeeper((program) => program)
    await until(() => inode(daemon.pid) !== before, 'it is the new program')
    expect(inode(daemon.pid)).toBe(statSync(path).ino)
    expect(await socketsOf(daemon, 'web')).toEqual(sockets)
    const survivor = await killBroker(daemon)
    expect(childrenOf(daemon.pid)).toEqual([survivor])
    expect(await socketsOf(daemon, 'web')).toEqual(sockets)
    expect((await runUpgrade(daemon)).status).toBe(0)
    await stopCleanly(daemon)
  })

  it.each<[string, string]>([
    ['is no program', 'not a program'],
    ['does not know what it is asked', '#!/bin/sh\nexit 3\n'],
  ])('that %s is not made: the keeper stays as it is', async (_, content) => {
    const { daemon, before, sockets } = await withNewKeeper(() => content)
    await until(() => daemon.stderr().includes('stays as it is'), 'it says so')
    expect(inode(daemon.pid)).toBe(before)
    await killBroker(daemon)
    expect(await socketsOf(daemon, 'web')).toEqual(sockets)
    await stopCleanly(daemon)
  })
})

it('who asks while neither broker reads is answered by the new one, on the same connection', async () => {
  const copy = installedCopy()
  const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, 'dist/cli/main.js') })
  const before = await brokerPid(daemon)
  const [greeted, silent] = [await Asker.connect(daemon.control), await Asker.connect(daemon.control)]
  const holder = await Asker.connect(daemon.control)
  await holder.lease('web', { ready: true })
  const early = new RawClient(daemon.control)
  const go = join(daemon.directory, 'go')
  const dawdle = `while (!process.getBuiltinModule('fs').existsSync('${go}')) addon.wait(-1, 0, 5);`
  install(copy, 'dist/sys/keeper.js', (text) => text.replace(/^ {4}ready\(\) \{$/m, `    ready() { ${dawdle}`))
  const upgrade = runUpgrade(daemon)
  await until(() => daemon.logs().some(({ msg }) => String(msg).includes('this one stops')), 'the old one is frozen')
  greeted.send('acquire', { name: 'web', ready: true })
  holder.send('list')
  early.request(0, 'hello', { version: 1 })
  const late = new RawClient(daemon.control)
  late.request(0, 'hello', { version: 1 })
  late.request(1, 'acquire', { name: 'web', ready: true })
  writeFileSync(go, '')
  expect((await upgrade).status).toBe(0)
  expect(await greeted.next()).toMatchObject({ ok: true, state: 'ready' })
  expect(await silent.next()).toEqual({ event: 'reconnect' })
  expect(await holder.next()).toEqual({ event: 'reconnect' })
  for (const client of [early, late]) expect((await client.next()).message).toMatchObject({ ok: true })
  const { message, fds } = await late.next()
  expect(message).toMatchObject({ ok: true, state: 'ready' })
  for (const fd of fds) fd.close()
  expect(await brokerPid(daemon)).not.toBe(before)
  await until(() => silent.client.closed && holder.client.closed, 'those that were told to reconnect are closed')
  for (const client of [greeted, early, late]) client.close()
  await stopCleanly(daemon)
})
