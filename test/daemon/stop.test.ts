import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import {
  type Daemon,
  exitOf,
  launch,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  until,
  writeConfig,
} from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const sockets = (drainTimeout: string) => `[sockets.web]
listen = "unix://{dir}/web.sock"
allow = ["user:${process.getuid!()}"]
drain_timeout = "${drainTimeout}"`

const leftBehind = (daemon: Daemon) => readdirSync(daemon.directory).filter((name) => name !== 'broker.toml')
const said = (daemon: Daemon, part: string) => daemon.logs().some(({ msg }) => String(msg).includes(part))

async function withHolder(drainTimeout = '30s'): Promise<{ daemon: Daemon; holder: Asker; lease: number }> {
  const daemon = await startDaemon({ sockets: sockets(drainTimeout) })
  const holder = await Asker.connect(daemon.control)
  const lease = await holder.lease('web', { ready: true })
  return { daemon, holder, lease }
}

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('without holders ends the broker at once, and nothing is left', async () => {
    const daemon = await startDaemon({ sockets: sockets('30s') })
    const started = performance.now()
    expect(await daemon.stop(signal)).toBe(0)
    expect(performance.now() - started).toBeLessThan(3000)
    expect(leftBehind(daemon)).toEqual([])
  })

  it('asks the holders to drain, waits for them, and exits 0', async () => {
    const { daemon, holder, lease } = await withHolder()
    const waiter = await Asker.connect(daemon.control)
    daemon.process.kill(signal)
    const drain = await holder.next()
    expect(drain).toMatchObject({ event: 'drain', lease, reason: 'shutdown' })
    expect(Math.abs(Number(drain['deadline']) - Date.now() - 30_000)).toBeLessThan(5000)
    // No new lease, but the old one lives as long as it needs.
    expect(await waiter.ask('acquire', { name: 'web', wait: -1 })).toMatchObject({ ok: false })
    expect(await waiter.ask('holders')).toMatchObject({ holders: [{ lease, state: 'draining' }] })
    expect(daemon.process.exitCode).toBeNull()
    expect(await holder.ask('release', { lease })).toMatchObject({ ok: true })
    expect(await exitOf(daemon)).toBe(0)
    expect(leftBehind(daemon)).toEqual([])
    holder.close()
    waiter.close()
  })

  it('waits as long as the names that are held may take, not as long as others could', async () => {
    const longer = '[sockets.longer]\nlisten = "unix://{dir}/longer.sock"\nallow = ["any"]\ndrain_timeout = "10m"'
    const daemon = await startDaemon({ sockets: `${sockets('300ms')}\n${longer}` })
    const holder = await Asker.connect(daemon.control)
    await holder.lease('web', { ready: true })
    const passed = await holder.lease('longer', { ready: true })
    await holder.ask('release', { lease: passed })
    expect(await daemon.stop(signal)).toBe(0)
    expect(said(daemon, 'drain_timeout is over')).toBe(true)
    holder.close()
  })

  it('a second time ends the broker at once, with the status of the signal', async () => {
    const { daemon, holder } = await withHolder()
    daemon.process.kill(signal)
    expect(await holder.next()).toMatchObject({ event: 'drain' })
    const again = performance.now()
    expect(await daemon.stop(signal)).toBe(signal === 'SIGTERM' ? 143 : 130)
    expect(performance.now() - again).toBeLessThan(3000)
    expect(said(daemon, 'second signal')).toBe(true)
    expect(leftBehind(daemon)).toEqual([])
    holder.close()
  })
})

it('a holder that does not drain is waited for until drain_timeout, and named in the log', async () => {
  const { daemon, holder } = await withHolder('400ms')
  const started = performance.now()
  expect(await daemon.stop()).toBe(0)
  expect(performance.now() - started).toBeGreaterThan(350)
  expect(said(daemon, 'drain_timeout is over')).toBe(true)
  expect(leftBehind(daemon)).toEqual([])
  holder.close()
})

it('a waiter is answered when the broker is told to stop', async () => {
  const { daemon, holder, lease } = await withHolder()
  const exclusive = await Asker.connect(daemon.control)
  exclusive.send('acquire', { name: 'web', generation: 'next', wait: -1 })
  const { lease: pending } = await exclusive.next()
  daemon.process.kill('SIGTERM')
  expect(await holder.next()).toMatchObject({ event: 'drain', lease })
  expect(await exclusive.next()).toMatchObject({ event: 'drain', lease: pending })
  holder.close()
  exclusive.close()
  expect(await exitOf(daemon)).toBe(0)
})

it('SIGHUP does not end the broker: it reloads', async () => {
  const { daemon, holder, lease } = await withHolder()
  for (let times = 0; times < 3; times++) daemon.process.kill('SIGHUP')
  await until(() => said(daemon, 'reload'), 'it says so')
  expect(await holder.ask('ready', { lease })).toMatchObject({ ok: true })
  holder.close()
  await stopCleanly(daemon)
})

it('leaves alone what stands on the control path by then, when it is not its socket', async () => {
  const daemon = await startDaemon({ sockets: sockets('30s') })
  rmSync(daemon.control)
  writeFileSync(daemon.control, 'mine')
  expect(await daemon.stop()).toBe(0)
  expect(readFileSync(daemon.control, 'utf8')).toBe('mine')
})

it('SIGUSR1 opens no debugger, to which every local user could connect', async () => {
  const { daemon, holder, lease } = await withHolder()
  daemon.process.kill('SIGUSR1')
  await until(() => said(daemon, 'SIGUSR1'), 'it says so')
  expect(await holder.ask('ready', { lease })).toMatchObject({ ok: true })
  expect(daemon.stderr()).not.toContain('Debugger listening')
  holder.close()
  await stopCleanly(daemon)
})

it('a signal at any moment of the start leaves nothing behind', { timeout: 60_000 }, async () => {
  const directory = temporaryDirectory()
  const config = writeConfig(directory, { sockets: sockets('30s') })
  for (let delay = 40; delay < 340; delay += 20) {
    const daemon = launch(directory, config)
    await new Promise((resolve) => setTimeout(resolve, delay))
    const status = await daemon.stop()
    // Null: the signal ended Node before the program had begun.
    expect([0, null]).toContain(status)
    expect(leftBehind(daemon)).toEqual([])
  }
})
