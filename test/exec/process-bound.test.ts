// Leases that are bound to a process: how they become ready, drain, move and end, and what the notify socket takes.

import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { notify } from '../../src/sys/index.ts'
import { type Daemon, IS_ROOT, NOBODY, startDaemon, until } from '../support/daemon.ts'
import { holders, logged, type Running, start } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { RawClient } from '../support/raw-client.ts'

forbidLeaks()
endPythons()

const SOCKETS = `
[sockets.web]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
[sockets.admin]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
[sockets.quick]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
ready_timeout = "3s"
[sockets.brisk]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
ready_timeout = "5s"
[sockets.guarded]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
watchdog = "2s"
`

/** Says to NOTIFY_SOCKET what it reads, a datagram a line; SIGTERM makes it say so and end. */
const TALKER = `
import os, signal, socket, sys
def end(number, frame):
    print("signal", number, flush=True)
    sys.exit(0)
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGWINCH): signal.signal(number, end)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
print(os.environ["NOTIFY_SOCKET"], os.environ.get("WATCHDOG_USEC"), flush=True)
for message in sys.argv[1:]:
    notify.send(message.replace("|", "\\n").encode())
print("said", flush=True)
while True: signal.pause()
`

let daemon: Daemon
beforeEach(async () => {
  daemon = await startDaemon({ sockets: SOCKETS })
})

/** A program under exec that has said these messages. */
async function talker(options: readonly string[], messages: readonly string[] = [], uid?: number): Promise<Running> {
  const args = ['exec', ...options, '--', 'python3', '-c', TALKER, ...messages]
  const program = start(daemon, args, uid === undefined ? {} : { uid })
  await until(() => program.stdout().includes('said'), `the program runs: ${program.stderr()}`)
  return program
}

const notifyPath = (program: Running) => program.stdout().split(' ')[0]!

async function stats(): Promise<Record<string, number>> {
  const client = new RawClient(daemon.control)
  await client.hello()
  const { message } = await client.ask(1, 'stats')
  client.close()
  return message['notify'] as Record<string, number>
}

const SEND = `s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
try: s.sendto(sys.argv[2].encode(), sys.argv[1]); say('sent')
except PermissionError: say('refused')
wait()`

describe('readiness', () => {
  it('comes with READY=1, long before --ready-after', async () => {
    await talker(['web', '--ready-after', '30'], ['READY=1'])
    await logged(daemon, 'ready')
    expect(await holders(daemon)).toMatchObject([{ state: 'ready' }])
  })

  it('comes from systemd-notify in a shell script, which exits 0', async () => {
    const program = start(daemon, [
      'exec',
      'web',
      '--ready-on',
      'notify',
      '--',
      'sh',
      '-c',
      'systemd-notify --ready --status="all set" && echo done; exec sleep 60',
    ])
    await until(() => program.stdout() === 'done\n', 'systemd-notify has succeeded')
    expect(await holders(daemon)).toMatchObject([{ state: 'ready', status: 'all set' }])
  })

  it('comes by staying alive', async () => {
    await talker(['web', '--ready-after', '0.3'])
    await logged(daemon, 'ready')
  })

  it('does not come by staying alive with --ready-on notify, and SIGTERM comes at ready_timeout', async () => {
    const program = await talker(['quick', '--ready-on', 'notify'])
    await logged(daemon, 'expired')
    expect(await program.exit()).toBe(0)
    expect(program.stdout()).toContain('signal 15')
    expect(daemon.logs().some(({ msg }) => msg === 'ready')).toBe(false)
  })

  it('comes with READY=1 also where ready_timeout is shorter than the default of --ready-after', async () => {
    const program = await talker(['brisk'], ['READY=1'])
    await logged(daemon, 'ready')
    expect(program.stderr()).toMatch(/brisk has a ready_timeout of 5000 ms: .*READY=1.*--ready-after/)
    for (const options of [['web'], ['brisk', '--ready-on', 'notify'], ['brisk', '--ready-after', '2']])
      expect((await talker(options, ['READY=1'])).stderr()).toBe('')
  })

  it('applies to all leases of the connection', async () => {
    await talker(['web,admin', '--ready-on', 'notify'], ['READY=1'])
    await logged(daemon, 'ready', 2)
    expect((await holders(daemon)).map(({ state }) => state)).toEqual(['ready', 'ready'])
  })

  it('promotes a takeover, and the former holder is told by signal', async () => {
    const old = await talker(['web', '--drain-signal', 'USR1'], ['READY=1'])
    await logged(daemon, 'ready')
    const fresh = await talker(['web', '--takeover', '--generation', 'v2'], ['READY=1'])
    expect(await old.exit()).toBe(0)
    expect(old.stdout()).toContain('signal 10')
    expect(await holders(daemon)).toMatchObject([{ pid: fresh.pid, generation: 'v2', state: 'ready' }])
    expect((await logged(daemon, 'released')).length).toBe(1)
  })
})

describe('the end', () => {
  it('of the process ends its lease, though its connection is long gone', async () => {
    const program = await talker(['web'], ['READY=1'])
    await logged(daemon, 'ready')
    program.kill('SIGKILL')
    await logged(daemon, 'died')
    expect(await holders(daemon)).toEqual([])
  })

  it('of the last lease removes the notify socket; the broker keeps no descriptor', async () => {
    const before = daemon.fds()
    const program = await talker(['web,admin'], ['READY=1'])
    expect(existsSync(notifyPath(program))).toBe(true)
    program.kill('SIGKILL')
    await until(() => !existsSync(notifyPath(program)), 'the path is gone')
    await until(() => daemon.fds() === before, `${before} descriptors again`)
    expect(readdirSync(`${daemon.control}.notify`)).toEqual([])
  })

  it('of the broker removes the directory', async () => {
    expect(await daemon.stop()).toBe(0)
    expect(existsSync(`${daemon.control}.notify`)).toBe(false)
  })
})

describe('sd_notify', () => {
  it('STOPPING=1 is draining, without a signal', async () => {
    const program = await talker(['web'], ['READY=1', 'STOPPING=1'])
    const [drain] = await logged(daemon, 'drain')
    expect(drain).toMatchObject({ reason: 'self' })
    await sleep(100)
    expect(program.stdout()).not.toContain('signal')
    program.kill('SIGKILL')
    await logged(daemon, 'released')
  })

  it('STATUS= is shown in holders, without what could forge a terminal', async () => {
    await talker(['web'], ['READY=1|STATUS=10 \u001B[31mrequests/s'])
    await logged(daemon, 'ready')
    expect(await holders(daemon)).toMatchObject([{ status: '10  [31mrequests/s' }])
  })

  it('junk is ignored and counted', async () => {
    await talker(['web', '--ready-on', 'notify'], ['frob', 'READY=yes|X_OK=1|=', 'x'.repeat(4097), 'READY=1'])
    await logged(daemon, 'ready')
    expect(await stats()).toEqual({ messages: 3, refused: 0, junk: 3, dropped: 1 })
  })

  it('WATCHDOG=1 keeps a lease alive whose name has a watchdog; missing it, the process gets SIGABRT', async () => {
    const ping = `${TALKER.replace('while True: signal.pause()', '')}
import time
for i in range(30):
    notify.send(b"WATCHDOG=1")
    time.sleep(0.1)
print("pinged", flush=True)
time.sleep(60)`
    const program = start(daemon, ['exec', 'guarded', '--', 'python3', '-c', ping, 'READY=1'])
    await until(() => program.stdout().includes('pinged'), 'three seconds of pings')
    expect(program.stdout()).toContain(' 2000000\n')
    expect(daemon.logs().some(({ msg }) => msg === 'evicted')).toBe(false)
    expect(await program.exit()).toBe('SIGABRT')
    await logged(daemon, 'evicted')
  })

  it('is taken from a process of the holder’s user, as a child is', async () => {
    const program = await talker(['web', '--ready-on', 'notify'])
    await startPython(SEND, [notifyPath(program), 'READY=1']).line()
    await logged(daemon, 'ready')
  })

  it('is not taken from another holder', async () => {
    const program = await talker(['web', '--ready-on', 'notify'])
    const script = `import os, socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", ${JSON.stringify(notifyPath(program))}); print("said", flush=True); import time; time.sleep(60)`
    const other = start(daemon, ['exec', 'admin', '--ready-on', 'notify', '--', 'python3', '-c', script])
    await until(() => other.stdout() !== '', 'the other holder has said it')
    await until(async () => (await stats())['refused'] === 1, 'it is refused')
    expect((await holders(daemon)).map(({ state }) => state)).toEqual(['granted', 'granted'])
  })

  it.runIf(IS_ROOT)('is not taken from another user, root included (run as root)', async () => {
    const program = await talker(['web', '--ready-on', 'notify'], [], NOBODY)
    expect(await startPython(SEND, [notifyPath(program), 'READY=1'], 1).line()).toBe('refused')
    expect(await startPython(SEND, [notifyPath(program), 'READY=1']).line()).toBe('sent')
    await until(async () => (await stats())['refused'] === 1, 'it is refused')
    expect(await holders(daemon)).toMatchObject([{ state: 'granted' }])
    expect(await startPython(SEND, [notifyPath(program), 'READY=1'], NOBODY).line()).toBe('sent')
    await logged(daemon, 'ready')
  })
})

describe('MAINPID=', () => {
  /** A program that starts a child with or without the socket, names it, and ends at SIGUSR1. */
  const forking = (keep: string) => `
import os, signal, socket, subprocess, sys
child = subprocess.Popen(["sleep", "60"], pass_fds=${keep})
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1\\nMAINPID=%d" % child.pid, os.environ["NOTIFY_SOCKET"])
print(child.pid, flush=True)
signal.sigwait([signal.SIGUSR1])
os._exit(0)`

  it('moves the lease to a process that has the socket open', async () => {
    const program = start(daemon, ['exec', 'web', '--', 'python3', '-c', forking('[3]')])
    await until(() => program.stdout() !== '', 'the child runs')
    const child = Number(program.stdout())
    await until(async () => (await holders(daemon))[0]?.pid === child, 'the lease is the child’s')
    const ended = new Promise((resolve) => program.process.once('exit', resolve))
    process.kill(program.pid, 'SIGUSR1')
    expect(await ended).toBe(0)
    expect(await holders(daemon)).toMatchObject([{ pid: child, state: 'ready' }])
    process.kill(child, 'SIGKILL')
    await logged(daemon, 'died')
    await program.exit()
  })

  it('does not move it to one that has not', async () => {
    const program = start(daemon, ['exec', 'web', '--', 'python3', '-c', forking('[]')])
    await until(() => program.stdout() !== '', 'the child runs')
    await until(async () => (await stats())['refused'] === 1, 'it is refused')
    process.kill(program.pid, 'SIGUSR1')
    await logged(daemon, 'died')
    process.kill(Number(program.stdout()), 'SIGKILL')
    await program.exit()
  })

  it.runIf(IS_ROOT)('does not move it to a process of another user (run as root)', async () => {
    const other = start(daemon, ['exec', 'web', '--', 'sleep', '60'])
    await logged(daemon, 'granted')
    const program = await talker(['web'], [`MAINPID=${other.pid}`, 'READY=1'], NOBODY)
    await logged(daemon, 'ready')
    expect((await holders(daemon)).map(({ pid }) => pid)).toEqual([other.pid, program.pid])
    expect((await stats())['refused']).toBe(1)
  })
})

describe('on the wire', () => {
  it('bind: "process" is a feature, and its keys need it', async () => {
    const client = new RawClient(daemon.control)
    const hello = await client.hello()
    expect(hello.message['features']).toContain('bind-process')
    for (const key of [{ drainSignal: 'TERM' }, { readyAfter: 1 }]) {
      expect((await client.ask(1, 'acquire', { name: 'web', ...key })).message).toMatchObject({ code: 'INVALID' })
    }
  })

  it('a lease may be named on any connection of its process, also when its own is closed', async () => {
    const first = new RawClient(daemon.control)
    await first.hello()
    const granted = await first.ask(1, 'acquire', { name: 'web', bind: 'process' })
    const { lease, notify } = granted.message
    expect(notify).toMatch(/control\.sock\.notify\/[\w-]{16}$/)
    for (const fd of granted.fds) fd.close()
    first.close()
    const second = new RawClient(daemon.control)
    await second.hello()
    expect((await second.ask(1, 'ready', { lease })).message).toMatchObject({ ok: true, state: 'ready' })
    const again = await second.ask(2, 'sockets', { lease })
    expect(again.fds).toHaveLength(1)
    for (const fd of again.fds) fd.close()
    expect((await second.ask(3, 'release', { lease })).message).toMatchObject({ ok: true })
  })

  it.each(['admin', 'self'])(
    'a drain (%s) is told by event while the connection is open, and by no signal',
    async (reason) => {
      const client = new RawClient(daemon.control)
      await client.hello()
      const granted = await client.ask(1, 'acquire', { name: 'web', bind: 'process', drainSignal: 'USR2', ready: true })
      for (const fd of granted.fds) fd.close()
      let signalled = 0
      const count = () => signalled++
      process.on('SIGUSR2', count)
      if (reason === 'admin') client.request(2, 'drain', { name: 'web' })
      else notify('STOPPING=1', { env: { NOTIFY_SOCKET: String(granted.message['notify']) } })
      const heard = async () => client.received.shift() ?? (await client.next())
      let event = await heard()
      if (!('event' in event.message)) event = await heard()
      expect(event.message).toMatchObject({ event: 'drain', lease: granted.message['lease'], reason })
      await sleep(50)
      process.off('SIGUSR2', count)
      expect(signalled).toBe(0)
      await client.ask(3, 'release', { lease: granted.message['lease'] })
    },
  )

  it('connections that leave leases behind count towards max_connections_per_uid until these have ended', async () => {
    await daemon.stop()
    daemon = await startDaemon({
      sockets: SOCKETS,
      broker: 'max_connections_per_uid = 2\nadmins = ["user:1"]\nviewers = ["any"]',
      directory: `${daemon.directory}`,
    })
    const one = await talker(['web'])
    await talker(['web'])
    const third = start(daemon, ['exec', 'web', '--', 'echo', 'ran'])
    expect(await third.exit()).toBe(1)
    expect(third.stderr()).toContain('max_connections_per_uid')
    one.kill('SIGKILL')
    await logged(daemon, 'died')
    expect(await start(daemon, ['exec', 'web', '--', 'true']).exit()).toBe(0)
  })
})

it('a lingering descriptor sent to a notify socket does not stall the broker', async () => {
  const program = await talker(['web', '--ready-on', 'notify'])
  const bomb = `
listener = socket.create_server(('127.0.0.1', 0))
one = socket.create_connection(listener.getsockname())
other = listener.accept()
one.setblocking(False)
try:
  while True: one.send(b'x' * 65536)
except BlockingIOError: pass
one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 3))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendmsg([b'X_BOMB=1'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [one.fileno()]))], 0, sys.argv[1])
one.close()
say('sent')
wait()`
  const client = new RawClient(daemon.control)
  await client.hello()
  await startPython(bomb, [notifyPath(program)]).line()
  let slowest = 0
  for (let id = 1; id < 100; id++) {
    const asked = performance.now()
    await client.ask(id, 'stats')
    slowest = Math.max(slowest, performance.now() - asked)
    await sleep(5)
  }
  // The bomb holds its receiver for three seconds.
  expect(slowest).toBeLessThan(2500)
})
