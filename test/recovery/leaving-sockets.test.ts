// A socket that was replaced leaves on, and new clients come to its successor, whatever becomes of the broker meanwhile.

import { once } from 'node:events'
import { existsSync } from 'node:fs'
import net from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../bench/support/free-port.mjs'
import { endListener, type OwnedFd } from '../../src/sys/index.ts'
import { accepted } from '../support/accepted.ts'
import { Asker } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, stopCleanly, until } from '../support/daemon.ts'
import { killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { cli, cookies, refuses, rewrite } from '../support/reloading.ts'
import { runUpgrade } from '../support/upgrade.ts'

forbidLeaks()

async function upgrade(daemon: Daemon): Promise<void> {
  expect(await runUpgrade(daemon)).toMatchObject({ status: 0 })
}

const DEATHS: [string, (daemon: Daemon) => Promise<unknown>][] = [
  ['kill -9', killBroker],
  ['an upgrade', upgrade],
]

/** `value` is SO_PRIORITY’s, which is not changed on a socket that serves when it comes as a raw option. */
const web = (listen: string, value = 1, drain = '60s') =>
  `[sockets.web]\nlisten = ${listen}\nallow = ["any"]\ndrain_timeout = "${drain}"\n` +
  `sockopt = [{ level = 1, name = 12, value = ${value} }]\n`
const tcp = (port: number) => `"tcp://127.0.0.1:${port}"`

async function connect(count: number, to: net.NetConnectOpts): Promise<void> {
  for (let i = 0; i < count; i++) {
    const socket = net.connect(to).on('error', () => {})
    atEnd(() => socket.destroy())
    await once(socket, 'connect')
  }
}

interface Holder {
  asker: Asker
  lease: number
  /** In the order in which they came. */
  fds: OwnedFd[]
}

/** Has a lease, and keeps whatever descriptors it is given. */
async function hold(daemon: Daemon): Promise<Holder> {
  const asker = await Asker.connect(daemon.control)
  const { message, fds } = await asker.received('acquire', { name: 'web', ready: true })
  return { asker, lease: message['lease'] as number, fds: [...fds] }
}

async function replaced(holder: Holder): Promise<void> {
  const { message, fds } = await holder.asker.client.next()
  expect(message).toMatchObject({ event: 'replaced', lease: holder.lease })
  holder.fds.push(...fds)
}

/** As its SDK would; the descriptors are those that it has. */
async function comeBack(holder: Holder, daemon: Daemon): Promise<void> {
  holder.asker.close()
  holder.asker = await Asker.connect(daemon.control)
  expect(await holder.asker.ask('reclaim', { lease: holder.lease, name: 'web' })).toMatchObject({ ok: true })
}

function leave({ asker, fds }: Holder): void {
  for (const fd of fds) fd.close()
  asker.close()
}

/** Cookies of old sockets, as the log tells of their end. */
const ended = (daemon: Daemon) =>
  daemon
    .logs()
    .filter(({ msg }) => String(msg).startsWith('old socket closed'))
    .map(({ cookie }) => cookie)

async function reload(daemon: Daemon, text: string): Promise<void> {
  rewrite(daemon, text)
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
}

async function start(): Promise<{ daemon: Daemon; port: number }> {
  const port = await freePort()
  return { daemon: await startKept({ sockets: web(tcp(port)) }), port }
}

describe.each(DEATHS)('%s', (_what, death) => {
  it('leaves the new clients of a port to its youngest socket, however many there are and whichever goes first', async () => {
    const { daemon, port } = await start()
    const holder = await hold(daemon)
    const shares = async () => {
      await connect(30, { host: '127.0.0.1', port })
      return holder.fds.map(accepted)
    }
    const [first] = (await cookies(daemon, 'web'))!
    await reload(daemon, web(tcp(port), 2))
    await replaced(holder)
    await connect(3, { host: '127.0.0.1', port })
    await death(daemon)
    expect(await shares()).toEqual([0, 33])
    await comeBack(holder, daemon)
    await reload(daemon, web(tcp(port), 3))
    await replaced(holder)
    expect(await shares()).toEqual([0, 0, 30])
    await death(daemon)
    expect(await shares()).toEqual([0, 0, 30])
    holder.fds.shift()!.close()
    await until(() => ended(daemon).length > 0, 'the first one is closed')
    expect(ended(daemon)).toEqual([first])
    // The last one has its place in the kernel's group now.
    expect(await shares()).toEqual([0, 30])
    await death(daemon)
    expect(await shares()).toEqual([0, 30])
    holder.fds.shift()!.close()
    await until(() => ended(daemon).length > 1, 'the second one is closed')
    expect(await shares()).toEqual([30])
    leave(holder)
    await stopCleanly(daemon)
  }, 60_000)

  it('leaves old sockets to who holds them until the deadline, and no longer: a port that was given up is free then', async () => {
    const [given, kept] = [await freePort(), await freePort()]
    const daemon = await startKept({ sockets: web(`[${tcp(given)}, ${tcp(kept)}]`, 1, '10s') })
    const holder = await hold(daemon)
    const old = (await cookies(daemon, 'web'))!
    const began = Date.now()
    await reload(daemon, web(tcp(kept), 2, '10s'))
    await replaced(holder)
    await death(daemon)
    for (const port of [given, kept]) await connect(20, { host: '127.0.0.1', port })
    expect(holder.fds.map(accepted)).toEqual([20, 0, 20])
    await until(() => ended(daemon).length > 1, 'both old ones are closed', 20_000)
    expect(Date.now() - began).toBeGreaterThanOrEqual(10_000)
    expect(new Set(ended(daemon))).toEqual(new Set(old))
    expect(await refuses(given)).toBe(true)
    await connect(20, { host: '127.0.0.1', port: kept })
    expect(accepted(holder.fds[2]!)).toBe(20)
    leave(holder)
    await stopCleanly(daemon)
  }, 60_000)

  it('leaves a path to the socket that has it: one that was replaced does not take it away, one without a successor does', async () => {
    const paths = (...names: string[]) => JSON.stringify(names.map((name) => `unix://{dir}/${name}.sock`))
    const daemon = await startKept({ sockets: web(paths('a', 'b'), 1, '10s') })
    const holder = await hold(daemon)
    const at = (name: string) => `${daemon.directory}/${name}.sock`
    await reload(daemon, web(paths('a'), 2, '10s'))
    await replaced(holder)
    await death(daemon)
    for (const name of ['a', 'b']) await connect(1, { path: at(name) })
    expect(holder.fds.map(accepted)).toEqual([0, 1, 1])
    await until(() => ended(daemon).length === 2, 'both old ones are closed', 20_000)
    expect([at('a'), at('b')].map((path) => existsSync(path))).toEqual([true, false])
    await connect(1, { path: at('a') })
    expect(accepted(holder.fds[2]!)).toBe(1)
    leave(holder)
    await stopCleanly(daemon)
  }, 30_000)
})

it('an old listener that its holder shuts takes no client from its successor', async () => {
  const { daemon, port } = await start()
  const holder = await hold(daemon)
  for (const value of [2, 3]) {
    await reload(daemon, web(tcp(port), value))
    await replaced(holder)
  }
  endListener(holder.fds[0]!.fd)
  await until(() => ended(daemon).length > 0, 'it is closed')
  await connect(20, { host: '127.0.0.1', port })
  expect(holder.fds.slice(1).map(accepted)).toEqual([0, 20])
  leave(holder)
  await stopCleanly(daemon)
})
