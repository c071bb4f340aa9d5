// A new release that fails through `fd-broker exec --takeover`: the old one serves on, and everybody learns why.

import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, it } from 'vitest'
import { type Daemon, startDaemon } from '../support/daemon.ts'
import { holders, logged, type Running, start } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { askSteadily } from '../support/steady-client.ts'

forbidLeaks()

const SOCKETS = `
[sockets.web]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
[sockets.hasty]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
ready_timeout = "3s"
[sockets.pair]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
quorum = 2
`

const NOTIFY = `
import os, socket, sys, time
def notify(text): socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(text, os.environ["NOTIFY_SOCKET"])
`
const SERVE = `${NOTIFY}
listener = socket.socket(fileno=3)
notify(b"READY=1")
while True:
    client, _ = listener.accept()
    client.recv(65536)
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n%d\\n" % os.getpid())
    client.close()
`

let daemon: Daemon
beforeEach(async () => {
  daemon = await startDaemon({ sockets: SOCKETS })
})

const run = (name: string, program: string, ...options: string[]) =>
  start(daemon, ['exec', name, '--ready-on', 'notify', ...options, '--', 'python3', '-c', program])

function portOf(name: string): number {
  const { sockets } = daemon.logs().find((line) => line['msg'] === 'bound' && line['name'] === name)!
  return Number(/\d+$/.exec((sockets as string[])[0]!)![0])
}

/** Runs `act` under a load that the old holders are to answer all alone. */
async function underLoad(name: string, old: readonly Running[], act: () => Promise<void>): Promise<void> {
  const stop = askSteadily(portOf(name), 5)
  await act()
  await sleep(500)
  const attempts = await stop()
  expect(attempts.length).toBeGreaterThan(50)
  expect(attempts.filter(({ error }) => error !== undefined)).toEqual([])
  const pids = old.map(({ pid }) => String(pid))
  expect(attempts.filter(({ answer }) => !pids.includes(answer!))).toEqual([])
  expect((await holders(daemon, name)).map(({ pid, state }) => ({ pid, state }))).toEqual(
    old.map(({ pid }) => ({ pid, state: 'ready' })),
  )
  expect(daemon.logs().some(({ msg }) => msg === 'drain' || msg === 'promoted')).toBe(false)
}

async function serving(name: string, count: number): Promise<Running[]> {
  const old = Array.from({ length: count }, () => run(name, SERVE))
  await logged(daemon, 'ready', count)
  const order = await holders(daemon, name)
  return order.map(({ pid }) => old.find((program) => program.pid === pid)!)
}

it('one that ends before it is ready: its own exit status, and a rollback that says so', async () => {
  const old = await serving('web', 1)
  await underLoad('web', old, async () => {
    const fresh = run('web', 'import sys, time; time.sleep(0.3); sys.exit(3)', '--takeover', '--generation', 'v2')
    expect(await fresh.exit()).toBe(3)
    const [rollback] = await logged(daemon, 'rollback')
    expect(rollback).toMatchObject({ name: 'web', generation: 'v2', reason: 'empty', ended: 'died' })
  })
})

it('one that hangs before it is ready: SIGTERM at ready_timeout, and a rollback that says so', async () => {
  const old = await serving('hasty', 1)
  await underLoad('hasty', old, async () => {
    const fresh = run('hasty', 'import time; time.sleep(60)', '--takeover', '--generation', 'v2')
    expect(await fresh.exit()).toBe('SIGTERM')
    const [rollback] = await logged(daemon, 'rollback')
    expect(rollback).toMatchObject({ name: 'hasty', generation: 'v2', reason: 'empty', ended: 'expired' })
  })
})

it('one that is killed when it was ready, before its generation had its quorum', async () => {
  const old = await serving('pair', 2)
  await logged(daemon, 'ready', 2)
  await underLoad('pair', old, async () => {
    // It accepts nothing: what a program had accepted is lost with it, whatever the broker does.
    const fresh = run('pair', `${NOTIFY}\nnotify(b"READY=1")\ntime.sleep(60)`, '--takeover', '--generation', 'v2')
    await logged(daemon, 'ready', 3)
    fresh.kill('SIGKILL')
    expect(await fresh.exit()).toBe('SIGKILL')
    const [rollback] = await logged(daemon, 'rollback')
    expect(rollback).toMatchObject({ name: 'pair', generation: 'v2', reason: 'empty', ended: 'died' })
  })
})
