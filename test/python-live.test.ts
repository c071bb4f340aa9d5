// The independent client holds a live broker to docs/protocol.md.

import { type SpawnSyncReturns, spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { IS_ROOT, NOBODY, startDaemon, stopCleanly, until } from './support/daemon.ts'
import { forbidLeaks } from './support/leaks.ts'
import { copyClient } from './support/worker.ts'

forbidLeaks()

type Result = Pick<SpawnSyncReturns<string>, 'status' | 'stdout' | 'stderr'>

async function checkBroker(directory: string, control: string, uid?: number): Promise<Result> {
  const script = join(copyClient(directory), 'check_broker.py')
  const child = spawn('python3', ['-B', script, control, 'web', '--exclusive', 'one'], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { status, stdout, stderr }
}

const SOCKETS = `
[sockets.web]
listen = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "unix://{dir}/web.sock", "unix-seqpacket://{dir}/q.sock"]
allow = ["any"]
[sockets.one]
listen = "tcp://[::1]:0"
allow = ["any"]
mode = "exclusive"
`

async function holds(uid?: number): Promise<string[]> {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const before = daemon.fds()
  const { status, stdout, stderr } = await checkBroker(daemon.directory, daemon.control, uid)
  expect(stdout + stderr).toMatch(/^all hold$/m)
  expect(status).toBe(0)
  await until(() => daemon.fds() === before, 'the broker has what it had before')
  await stopCleanly(daemon)
  return stdout.split('\n').filter((line) => line.startsWith('skipped'))
}

it('every fact of docs/protocol.md holds for its own user, who may list', async () => {
  expect(await holds()).toEqual([])
})

it.runIf(IS_ROOT)('every fact holds for a user who may not list, and who is shown nothing (needs root)', async () => {
  expect(await holds(NOBODY)).toEqual([expect.stringMatching(/readers show the lease.*DENIED/)])
})
