import { existsSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Daemon, IS_ROOT, NOBODY, startDaemon, until } from '../support/daemon.ts'
import { holders, logged, type RunOptions, run, STUB, start } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SOCKETS = `
[sockets.web]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
drain_timeout = "2s"
[sockets.admin]
listen = ["unix://{dir}/admin.sock", "tcp://127.0.0.1:0"]
allow = ["any"]
[sockets.single]
listen = ["tcp://127.0.0.1:0"]
allow = ["any"]
mode = "exclusive"
[sockets.closed]
listen = ["tcp://127.0.0.1:0"]
allow = ["user:1"]
`

let daemon: Daemon
beforeEach(async () => {
  daemon = await startDaemon({ sockets: SOCKETS })
})

const exec = (args: readonly string[], options?: RunOptions) => run(daemon, ['exec', ...args], options)

const addressOf = (name: string, at = 0) =>
  (daemon.logs().find((line) => line['msg'] === 'bound' && line['name'] === name)!['sockets'] as string[])[at]!

const portOf = (name: string, at = 0) => Number(/\d+$/.exec(addressOf(name, at))![0])

async function answerOf(port: number): Promise<string> {
  return text(connect(port, '127.0.0.1'))
}

/** Blocking, and knowing nothing of a broker: accepts on the descriptor it is told, and answers with its pid. */
const SERVER = `
import os, socket
listener = socket.socket(fileno=3)
print("up", flush=True)
while True:
    client, _ = listener.accept()
    client.sendall(b"%d" % os.getpid())
    client.close()
`

describe('exec becomes the program', () => {
  it('in the same process, whose pid LISTEN_PID has, with the sockets from descriptor 3 on', async () => {
    const program = start(daemon, [
      'exec',
      'web',
      '--',
      'sh',
      '-c',
      'echo $$ $LISTEN_PID $LISTEN_FDS $LISTEN_FDNAMES; readlink /proc/$$/fd/3',
    ])
    expect(await program.exit()).toBe(0)
    expect(program.stdout()).toMatch(new RegExp(`^${program.pid} ${program.pid} 1 web\nsocket:.*\n$`))
  })

  it('with its own exit status', async () => {
    expect((await exec(['web', '--', 'sh', '-c', 'exit 42'])).exit).toBe(42)
    expect((await exec(['web', '--', 'sh', '-c', 'kill -9 $$'])).exit).toBe('SIGKILL')
  })

  it('with its own arguments, options and second -- too, byte by byte', async () => {
    const { stdout } = await exec(['web', '--', 'printf', '<%s>', '--takeover', '-x', '--', '', 'ü b', '--help'])
    expect(stdout).toBe('<--takeover><-x><--><><ü b><--help>')
    const raw = await run(daemon, ['-c', `exec ${STUB} exec web -- printf %s "$(printf '\\377\\376')" | od -An -tx1`], {
      file: 'sh',
    })
    expect(raw.stdout.trim()).toBe('ff fe')
  })

  it('with LISTEN_PIDFDID, the inode of its pidfd, where the kernel has pidfs', async () => {
    const script = `import os; print(os.environ.get("LISTEN_PIDFDID"), os.fstat(os.pidfd_open(os.getpid())).st_ino, os.fstat(os.pidfd_open(1)).st_ino)`
    const [told, own, other] = (await exec(['web', '--', 'python3', '-c', script])).stdout.trim().split(' ')
    expect(told).toBe(own === other ? 'None' : own)
  })

  it('exits 127 when there is no such program, 126 when it cannot be run; the lease ends with it', async () => {
    expect(await exec(['web', '--', 'no-such-program'])).toMatchObject({
      exit: 127,
      stderr: 'fd-broker: no-such-program: No such file or directory\n',
    })
    expect(await exec(['web', '--', '/etc/passwd'])).toMatchObject({
      exit: 126,
      stderr: 'fd-broker: /etc/passwd: Permission denied\n',
    })
    await until(async () => (await holders(daemon)).length === 0, 'the leases have ended')
  })

  it('through symbolic links to the stub', async () => {
    symlinkSync(STUB, `${daemon.directory}/one`)
    symlinkSync('one', `${daemon.directory}/two`)
    expect((await exec(['web', '--', 'echo', 'hi'], { file: `${daemon.directory}/two` })).stdout).toBe('hi\n')
  })

  it('a blocking program that accepts in a loop works unchanged', async () => {
    const server = start(daemon, ['exec', 'web', '--', 'python3', '-c', SERVER])
    await until(() => server.stdout() !== '', 'the server is up')
    for (let i = 0; i < 20; i++) expect(await answerOf(portOf('web'))).toBe(String(server.pid))
  })

  it('without the variables of another supervisor, and without the stub’s notes', async () => {
    const env = {
      NOTIFY_SOCKET: '/run/other',
      WATCHDOG_USEC: '1',
      LISTEN_PID: '1',
      EINHORN_FD_COUNT: '9',
      FD_BROKER_START: 'x',
      KEPT: '1',
    }
    // The stub takes `serve` among the words for its own command.
    const { stdout } = await exec(['web', '--', 'sh', '-c', 'env', 'serve'], { env })
    expect(stdout).toMatch(/^KEPT=1$/m)
    expect(stdout).toMatch(new RegExp(`^NOTIFY_SOCKET=${daemon.control}.notify/[\\w-]{16}$`, 'm'))
    expect(stdout).not.toMatch(/WATCHDOG_USEC|EINHORN|FD_BROKER_(START|SELF)/)
  })
})

describe('--as', () => {
  const environmentOf = async (as: string) => {
    const { stdout } = await exec(['web,admin', '--as', as, '--', 'sh', '-c', 'env; ls /proc/$$/fd'])
    return stdout.split('\n')
  }

  it('listen-fds: one name for each descriptor', async () => {
    const lines = await environmentOf('listen-fds')
    expect(lines).toContain('LISTEN_FDS=3')
    expect(lines).toContain('LISTEN_FDNAMES=web:admin:admin')
  })

  it('nginx', async () => {
    const lines = await environmentOf('nginx')
    expect(lines).toContain('NGINX=3;4;5;')
    expect(lines.join()).not.toContain('LISTEN_')
  })

  it('einhorn', async () => {
    const lines = await environmentOf('einhorn')
    for (const line of ['EINHORN_FD_COUNT=3', 'EINHORN_FD_0=3', 'EINHORN_FD_1=4', 'EINHORN_FD_2=5'])
      expect(lines).toContain(line)
  })

  it('server-starter', async () => {
    const lines = await environmentOf('server-starter')
    expect(lines).toContain(
      `SERVER_STARTER_PORT=127.0.0.1:${portOf('web')}=3;${daemon.directory}/admin.sock=4;127.0.0.1:${portOf('admin', 1)}=5`,
    )
  })

  it('stdin: the socket is descriptor 0, and there is no other', async () => {
    const { stdout } = await exec([
      'web',
      '--as',
      'stdin',
      '--',
      'python3',
      '-c',
      'import os, socket; s = socket.socket(fileno=0); print(s.getsockname()[1], sorted(map(int, os.listdir("/proc/self/fd"))))',
    ])
    expect(stdout).toBe(`${portOf('web')} [0, 1, 2, 3]\n`)
  })

  it('stdin with several sockets is wrong usage', async () => {
    const { exit, stderr, stdout } = await exec(['web,admin', '--as', 'stdin', '--', 'echo', 'ran'])
    expect({ exit, stdout }).toEqual({ exit: 100, stdout: '' })
    expect(stderr).toContain('--as stdin passes one socket, and these are 3')
  })
})

describe('several names', () => {
  it('are acquired in byte order, and passed in the order given', async () => {
    const { stdout } = await exec(['web,admin', '--', 'sh', '-c', 'echo $LISTEN_FDNAMES'])
    expect(stdout).toBe('web:admin:admin\n')
    const granted = await logged(daemon, 'granted', 2)
    expect(granted.map(({ name }) => name)).toEqual(['admin', 'web'])
  })

  it('one refusal releases all, and runs nothing', async () => {
    const blocker = start(daemon, ['exec', 'single', '--', 'sleep', '60'])
    await logged(daemon, 'ready')
    const { exit, stdout, stderr } = await exec(['admin,single', '--', 'echo', 'ran'])
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' })
    expect(stderr).toMatch(/^fd-broker: BUSY: /)
    expect((await logged(daemon, 'released')).map(({ name }) => name)).toEqual(['admin'])
    expect((await holders(daemon)).map(({ pid }) => pid)).toEqual([blocker.pid])
  })
})

describe.each(['waits for room', 'waits for its turn'])('while it %s', (what) => {
  it('the end of a lease that it has ends the waiting, and runs nothing', async () => {
    start(daemon, ['exec', 'single', '--drain-signal', 'WINCH', '--', 'sleep', '60'])
    await logged(daemon, 'ready')
    const how = what === 'waits for room' ? ['--wait', '-1'] : ['--takeover']
    const program = start(daemon, ['exec', 'admin,single', ...how, '--', 'echo', 'ran'])
    if (what === 'waits for room') await logged(daemon, 'granted', 2)
    else await logged(daemon, 'promoted')
    await run(daemon, ['drain', 'admin'])
    expect(await program.exit()).toBe(1)
    expect(program.stdout()).toBe('')
    expect(program.stderr()).toContain('the lease on admin was asked to drain (admin)')
    expect((await holders(daemon)).map(({ name }) => name)).toEqual(['single'])
  })
})

describe('a refusal runs nothing', () => {
  it.each<[string, string[], number, string]>([
    ['no such name', ['nope', '--', 'echo'], 1, 'NOT_FOUND'],
    ['a name that is no name', ['a:b', '--', 'echo'], 100, 'must begin with'],
    ['a name twice', ['web,web', '--', 'echo'], 100, 'twice'],
    ['no program', ['web'], 100, 'missing required argument'],
    ['an unknown option', ['web', '--frob', '--', 'echo'], 100, 'unknown option'],
    ['an unknown convention', ['web', '--as', 'x', '--', 'echo'], 100, 'listen-fds'],
    ['an unknown signal', ['web', '--drain-signal', 'KILL', '--', 'echo'], 100, 'TERM'],
    ['a wait that is no number', ['web', '--wait', 'x', '--', 'echo'], 100, 'seconds'],
    [
      '--ready-on with --ready-after',
      ['web', '--ready-on', 'alive', '--ready-after', '1', '--', 'echo'],
      100,
      'conflict|cannot be used',
    ],
    ['--ready-after beyond ready_timeout', ['web', '--ready-after', '61', '--', 'echo'], 100, 'ready_timeout'],
    [
      '--ready-on for an exclusive name',
      ['single', '--ready-on', 'notify', '--', 'echo', 'ran'],
      100,
      'leave out --ready-on',
    ],
    [
      '--ready-after for exclusive names only',
      ['single', '--ready-after', '1', '--', 'echo', 'ran'],
      100,
      'leave out --ready-after',
    ],
  ])('%s', async (_, args, exit, why) => {
    const result = await exec(args)
    expect(result).toMatchObject({ exit, stdout: '' })
    expect(result.stderr).toMatch(new RegExp(why))
  })

  it('no broker: 111', async () => {
    const { exit } = await exec(['web', '--', 'echo', 'ran'], { env: { FD_BROKER_SOCKET: '/nonexistent/sock' } })
    expect(exit).toBe(111)
  })

  it.runIf(IS_ROOT)('a user who is not allowed (run as root)', async () => {
    expect(await exec(['closed', '--', 'echo', 'ran'], { uid: NOBODY })).toMatchObject({ exit: 1, stdout: '' })
  })

  it('no room within --wait', async () => {
    start(daemon, ['exec', 'single', '--', 'sleep', '60'])
    await logged(daemon, 'ready')
    const { exit, stderr } = await exec(['single', '--wait', '0.2', '--', 'echo', 'ran'])
    expect(exit).toBe(1)
    expect(stderr).toContain('TIMEOUT')
  })
})

describe('an exclusive name', () => {
  it('is handed over before the new program runs', async () => {
    const old = start(daemon, ['exec', 'single', '--', 'python3', '-c', SERVER])
    await until(() => old.stdout() !== '', 'the old one is up')
    const fresh = start(daemon, ['exec', 'single', '--takeover', '--', 'python3', '-c', SERVER])
    expect(await old.exit()).toBe('SIGTERM')
    await until(() => fresh.stdout() !== '', 'the new one is up')
    expect(await answerOf(portOf('single'))).toBe(String(fresh.pid))
    expect(await holders(daemon, 'single')).toMatchObject([{ pid: fresh.pid, state: 'ready' }])
  })

  it('does not start the program when it is superseded while it waits for its turn', async () => {
    start(daemon, ['exec', 'single', '--drain-signal', 'WINCH', '--', 'sleep', '60'])
    await logged(daemon, 'ready')
    const second = start(daemon, ['exec', 'single', '--takeover', '--', 'echo', 'ran'])
    await logged(daemon, 'promoted')
    const { pid } = (await holders(daemon)).find(({ state }) => state === 'draining')!
    expect((await run(daemon, ['list'])).stdout).toContain(`handing-over (pid ${pid})`)
    start(daemon, ['exec', 'single', '--takeover', '--', 'sleep', '60'])
    expect(await second.exit()).toBe(1)
    expect(second.stdout()).toBe('')
    expect(second.stderr()).toContain('ENDED')
  })
})

describe('descriptors', () => {
  it('of the broker’s client are gone in the program, and the broker’s connection with them', async () => {
    const program = start(daemon, ['exec', 'web', '--', 'sleep', '60'])
    await until(() => readFileSync(`/proc/${program.pid}/comm`, 'utf8') === 'sleep\n', 'the program runs')
    expect([0, 1, 2, 3].map((fd) => readlinkSync(`/proc/${program.pid}/fd/${fd}`)).join()).toMatch(
      /^\/dev\/null,\S+,\S+,socket/,
    )
    // Its loader has a library open there for a moment.
    await until(() => !existsSync(`/proc/${program.pid}/fd/4`), 'nothing else is open')
    expect(await holders(daemon)).toMatchObject([{ pid: program.pid }])
  })
})
