// Keeper and broker die at once: what a worker still has open is taken back from it.

import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import {
  type Daemon,
  exitOf,
  IS_ROOT,
  launch,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  until,
} from '../support/daemon.ts'
import { brokerPid, socketsOf } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { startSteadyWorker } from '../support/steady-worker.ts'

forbidLeaks()

const SOCKETS = `[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock", "udp://127.0.0.1:0"]
allow = ["user:${process.getuid!()}"]
drain_timeout = "300ms"`

const inventory = (daemon: Daemon) => `${daemon.control}.sockets`

/** Keeper and broker at once. */
async function killBoth(daemon: Daemon): Promise<void> {
  const broker = daemon.process.spawnargs.includes('--no-keeper') ? undefined : await brokerPid(daemon)
  daemon.process.kill('SIGKILL')
  if (broker !== undefined) process.kill(broker, 'SIGKILL')
  await exitOf(daemon)
}

it.runIf(IS_ROOT).each([true, false])(
  'with a keeper: %s, the next broker has the same sockets (needs CAP_SYS_PTRACE)',
  async (keeper) => {
    const daemon = await startDaemon({ sockets: SOCKETS, keeper })
    const before = await socketsOf(daemon, 'web')
    await startSteadyWorker(daemon.control, 'web')
    expect(statSync(inventory(daemon)).mode & 0o777).toBe(0o600)
    await killBoth(daemon)
    const next = await startDaemon({ sockets: SOCKETS, directory: daemon.directory, keeper })
    expect(await socketsOf(next, 'web')).toEqual(before)
    expect(next.logs().filter(({ msg }) => `${msg}`.includes('taken back from a worker')).length).toBe(3)
    const asker = await Asker.connect(next.control)
    expect(await asker.ask('acquire', { name: 'web', ready: true })).toMatchObject({ ok: true })
    asker.close()
    await stopCleanly(next)
    expect(existsSync(inventory(daemon))).toBe(false)
  },
)

/** A directory in which a dead socket is at the path: what takes its place is bound beside it, and the kernel goes on telling that name. */
function directoryWithDeadSocket(): string {
  const directory = temporaryDirectory()
  const path = join(directory, 'web.sock')
  execFileSync('python3', ['-c', 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])', path])
  return directory
}

it.runIf(IS_ROOT).each([true, false])(
  'also a Unix socket that was bound beside its path; with its inode in the list: %s (needs CAP_SYS_PTRACE)',
  async (withInode) => {
    const daemon = await startDaemon({ sockets: SOCKETS, directory: directoryWithDeadSocket() })
    expect(readFileSync('/proc/net/unix', 'utf8')).not.toContain(join(daemon.directory, 'web.sock'))
    const before = await socketsOf(daemon, 'web')
    await startSteadyWorker(daemon.control, 'web')
    await killBoth(daemon)
    const list = JSON.parse(readFileSync(inventory(daemon), 'utf8'))
    for (const known of Object.values<{ inode?: number }>(list.sockets)) {
      expect(known.inode).toBeGreaterThan(0)
      if (!withInode) delete known.inode
    }
    writeFileSync(inventory(daemon), JSON.stringify(list))
    const next = await startDaemon({ sockets: SOCKETS, directory: daemon.directory })
    expect(await socketsOf(next, 'web')).toEqual(before)
    await stopCleanly(next)
  },
)

it.each([
  ['bound at its path', temporaryDirectory],
  ['bound beside its path', directoryWithDeadSocket],
])('without the list the address is in use, and the message says by whom: a socket %s', async (_, directory) => {
  const fixed = SOCKETS.replace('"tcp://127.0.0.1:0", ', '').replace(', "udp://127.0.0.1:0"', '')
  const daemon = await startDaemon({ sockets: fixed, directory: directory() })
  const worker = await startSteadyWorker(daemon.control, 'web')
  rmSync(inventory(daemon))
  await killBoth(daemon)
  const next = launch(daemon.directory, daemon.config)
  expect(await exitOf(next)).toBe(111)
  expect(next.stderr()).toContain(`pid ${worker.pid}`)
})

it.runIf(IS_ROOT)('a socket that only has the address is not taken (needs root)', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const [tcp] = await socketsOf(daemon, 'web')
  await killBoth(daemon)
  const port = Number(tcp!.address.split(':').at(-1))
  const stranger = createServer().listen(port, '127.0.0.1')
  atEnd(() => stranger.close())
  await until(() => stranger.listening, 'it has the port')
  const next = await startDaemon({ sockets: SOCKETS, directory: daemon.directory })
  expect((await socketsOf(next, 'web'))[0]!.address).not.toBe(tcp!.address)
  await stopCleanly(next)
})

it.runIf(IS_ROOT)('a list of another boot, or one that others may write, is not believed (needs root)', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const before = await socketsOf(daemon, 'web')
  await startSteadyWorker(daemon.control, 'web')
  const list = JSON.parse(readFileSync(inventory(daemon), 'utf8'))
  await killBoth(daemon)
  const tcpOnly = SOCKETS.replace(', "unix://{dir}/web.sock"', '')
  for (const [mode, change] of [
    [0o600, { boot: 'another' }],
    [0o600, { netns: '0000' }],
    [0o666, {}],
  ] as const) {
    rmSync(inventory(daemon), { force: true })
    writeFileSync(inventory(daemon), JSON.stringify({ ...list, ...change }), { mode: 0o600 })
    chmodSync(inventory(daemon), mode)
    const next = await startDaemon({ sockets: tcpOnly, directory: daemon.directory })
    expect((await socketsOf(next, 'web'))[0]!.cookie).not.toBe(before[0]!.cookie)
    expect(await next.stop()).toBe(0)
  }
})
