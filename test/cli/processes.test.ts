// The commands as a user starts them: processes, against a real broker.

import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { CLI, IS_ROOT, NOBODY, startDaemon, stopCleanly, temporaryDirectory, writeConfig } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()
const installedCopy = useInstalledCopy()

interface Options {
  env?: NodeJS.ProcessEnv
  uid?: number
  cli?: string
}

async function cli(argv: readonly string[], { env = {}, uid, cli = CLI }: Options = {}) {
  const child = spawn(process.execPath, [cli, ...argv], {
    cwd: '/',
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { status, stdout, stderr }
}

const WEB = `[sockets.web]\nlisten = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]\nallow = ["user:${process.getuid!()}"]`

describe('list, holders and stats', () => {
  it('show a broker that --socket or FD_BROKER_SOCKET names, as a table and as JSON', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const worker = await Asker.connect(daemon.control)
    const lease = await worker.lease('web', { ready: true, label: 'first' })
    const env = { FD_BROKER_SOCKET: daemon.control }

    const list = await cli(['list', '--json', '--socket', daemon.control], {
      env: { FD_BROKER_SOCKET: '/nonexistent' },
    })
    expect([list.status, list.stderr]).toEqual([0, ''])
    expect(JSON.parse(list.stdout)).toEqual({
      sockets: [
        {
          name: 'web',
          mode: 'shared',
          state: 'ok',
          generation: expect.any(String),
          holders: { granted: 0, ready: 1, draining: 0 },
          waiting: 0,
          sockets: ['tcp', 'unix'].map((type) => ({
            type,
            address: expect.stringMatching(`^${type}://`),
            queue: 0,
            limit: 4096,
            drops: 0,
            cookie: expect.stringMatching(/^[0-9a-f]{16}$/),
          })),
        },
      ],
    })
    const { holders } = JSON.parse((await cli(['holders', 'web', '--json'], { env })).stdout)
    expect(holders).toEqual([
      expect.objectContaining({
        lease,
        name: 'web',
        pid: process.pid,
        uid: process.getuid!(),
        state: 'ready',
        label: 'first',
      }),
    ])
    expect(Math.abs(holders[0].since - Date.now())).toBeLessThan(60_000)
    const stats = JSON.parse((await cli(['stats', '--json'], { env })).stdout)
    expect(stats).toMatchObject({ pid: daemon.pid, names: 1, grants: 1, waiting: 0, refusals: {} })
    expect(Object.keys(stats).sort()).toEqual(
      [
        'connections',
        'grants',
        'holders',
        'names',
        'notify',
        'pid',
        'refusals',
        'repairs',
        'requests',
        'uptime',
        'waiting',
      ].sort(),
    )
    expect((await cli(['list'], { env })).stdout).toMatch(/^NAME .*\nweb +tcp:.* ok\n +unix:.*\n$/)
    worker.close()
    await stopCleanly(daemon)
  })

  it('exit 1 for a name that is not there, and 111 when no broker is, saying what to check', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const none = await cli(['holders', 'nope', '--socket', daemon.control])
    expect([none.status, none.stdout]).toEqual([1, ''])
    expect(none.stderr).toMatch(/^fd-broker: NOT_FOUND: .*nope.*\n$/)
    const bad = await cli(['holders', '../x', '--socket', daemon.control])
    expect([bad.status, bad.stdout]).toEqual([100, ''])
    expect(bad.stderr).toMatch(/^fd-broker: INVALID: /)
    await stopCleanly(daemon)
    for (const command of ['list', 'holders', 'stats']) {
      const away = await cli([command, '--json', '--socket', daemon.control])
      expect([away.status, away.stdout]).toEqual([111, ''])
      expect(away.stderr).toMatch(/^fd-broker: CLOSED: .*\n$/)
      expect(away.stderr).toContain(daemon.control)
    }
  })

  it.runIf(IS_ROOT)('are refused with 1 for a user who may not list (needs root)', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const other = { uid: NOBODY, cli: join(installedCopy(), 'dist/cli/main.js') }
    for (const command of ['list', 'holders', 'stats']) {
      const { status, stdout, stderr } = await cli([command, '--socket', daemon.control], other)
      expect([status, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/^fd-broker: DENIED: .*viewers.*\n$/)
    }
    await stopCleanly(daemon)
  })

  it('let no byte of a worker’s command line control the terminal', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const launcher = startWorker(
      daemon,
      `
import subprocess
words = ['\\x1b[2J\\x1b]0;owned\\x07', 'two\\nlines', '\\u009b31m']
program = sys.orig_argv[2] + "\\nbroker = connect(); granted(broker, 'web'); say('held'); wait()"
program = program[:program.index('import subprocess')] + program[program.rindex('\\nbroker = connect()'):]
os.execvp(sys.executable, [sys.executable, '-c', program, *sys.argv[1:3], *words])
`,
    )
    expect(await launcher.line()).toBe('held')
    const terminal = startPython(
      `
import pty
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
text = b''
while True:
    try: chunk = os.read(fd, 65536)
    except OSError: break
    if not chunk: break
    text += chunk
os.waitpid(pid, 0)
say(text.hex())
`,
      [process.execPath, CLI, 'holders', '--socket', daemon.control],
    )
    const shown = Buffer.from(await terminal.line(), 'hex').toString()
    await terminal.exit()
    const lines = shown.trimEnd().split('\r\n')
    expect(lines).toHaveLength(2)
    expect([lines[0]!.startsWith('\u001b[1mLEASE '), lines[0]!.endsWith('\u001b[0m')]).toEqual([true, true])
    expect(lines[1]).toMatch(/^\P{Cc}*$/u)
    const json = await cli(['holders', '--json', '--socket', daemon.control])
    expect(json.stdout.replaceAll('\n', '')).toMatch(/^\P{Cc}*$/u)
    expect(JSON.parse(json.stdout).holders[0].command).toContain('[2J')
    launcher.write('')
    await launcher.exit()
    await stopCleanly(daemon)
  })
})

describe('check', () => {
  it('exits 0 for a good config and 100 for a bad one, and binds nothing', async () => {
    const directory = temporaryDirectory()
    const good = await cli(['check', writeConfig(directory, { sockets: WEB })])
    expect([good.status, good.stderr]).toEqual([0, ''])
    const bad = await cli(['check', writeConfig(directory, { sockets: `${WEB}\nbacklg = 5\nbacklog = 0` })])
    expect([bad.status, bad.stdout]).toEqual([100, ''])
    const lines = bad.stderr.trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    for (const line of lines) expect(line).toMatch(/broker\.toml:\d+:\d+: sockets\.web\.(backlg|backlog)/)
    expect(lines[0]).toContain('did you mean')
    expect(existsSync(join(directory, 'web.sock'))).toBe(false)
    expect(existsSync(join(directory, 'control.sock'))).toBe(false)
  })

  it('shows no control byte of the file', async () => {
    const config = join(temporaryDirectory(), 'broker.toml')
    writeFileSync(
      config,
      '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nmode = "a\\u001b[2J"\nallow = ["user:\\u009b"]\n',
    )
    const { status, stderr } = await cli(['check', config])
    expect(status).toBe(100)
    expect(stderr.replaceAll('\n', '')).toMatch(/^\P{Cc}*$/u)
  })
})

it.each([
  ['list', '--json'],
  ['history', '--json'],
  ['stats', '--json'],
])('%s %s to a full disk is one line, and 111', async (...argv) => {
  const daemon = await startDaemon({ sockets: WEB })
  const worker = await Asker.connect(daemon.control)
  await worker.lease('web')
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [CLI, ...argv, '--socket', daemon.control], { stdio: ['ignore', full, 'pipe'] })
  closeSync(full)
  const ended = new Promise((resolve) => child.once('close', resolve))
  const [status, stderr] = await Promise.all([ended, text(child.stderr!)])
  expect(status).toBe(111)
  expect(stderr).toMatch(/^fd-broker: the output could not be written: ENOSPC.*\n$/)
  worker.close()
  await stopCleanly(daemon)
})

it('what is asked about a name or a user that is not there gets a line on standard error, and the same status', async () => {
  const daemon = await startDaemon({ sockets: WEB })
  const asked = (...argv: string[]) => cli([...argv, '--socket', daemon.control])
  const none = await asked('history', '--name', 'wob')
  expect(none).toEqual({
    status: 0,
    stdout: '',
    stderr: 'fd-broker: there is no name "wob" now; did you mean "web"?\n',
  })
  expect((await asked('history', '--name', 'web')).stderr).toBe('')
  const user = await asked('list', '--user', 'nosuch', '--json')
  expect(user).toMatchObject({ status: 0, stderr: 'fd-broker: user "nosuch" has no lease\n' })
  expect(JSON.parse(user.stdout)).toEqual({ sockets: [] })
  const events = spawn(process.execPath, [CLI, 'events', '--name', 'nope', '--socket', daemon.control])
  const over = new Promise((resolve) => events.once('close', resolve))
  let said = ''
  events.stderr.setEncoding('utf8').on('data', (chunk) => {
    said += chunk
    events.kill('SIGINT')
  })
  expect([await over, said]).toEqual([0, expect.stringMatching(/^fd-broker: there is no name "nope" now; .*\n$/)])
  await stopCleanly(daemon)
})

it('a wait below zero is refused with the one that is permitted; who does not answer is told with both ways to name it', async () => {
  const wait = await cli(['exec', 'web', '--wait', '-5', '--', 'true'])
  expect([wait.status, wait.stderr]).toEqual([100, expect.stringMatching(/-1 for ever/)])
  const away = await cli(['list', '--socket', '/nonexistent/control.sock'])
  expect([away.status, away.stderr]).toEqual([111, expect.stringMatching(/--socket or FD_BROKER_SOCKET/)])
})

it('a reader that goes away ends the command quietly', async () => {
  const daemon = await startDaemon({ sockets: WEB })
  const { status, stderr } = await new Promise<{ status: number | null; stderr: string }>((resolve) => {
    const line = '"$@" | true'
    const child = spawn('sh', ['-c', line, 'sh', process.execPath, CLI, 'list', '--socket', daemon.control], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      stderr += chunk
    })
    child.once('close', (status) => resolve({ status, stderr }))
  })
  expect([status, stderr]).toEqual([0, ''])
  await stopCleanly(daemon)
})
