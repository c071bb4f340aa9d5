// `fd-broker top` in a real terminal (a pty), against a real broker.

import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { CLI, type Daemon, launch, startDaemon, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { openWindow, type Sight, type WindowOptions } from '../support/window.ts'

forbidLeaks()

const NAMES = `
[sockets.web]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
[sockets.mail]
listen = "unix://{dir}/mail.sock"
allow = ["any"]
`
const ALTERNATE_SCREEN = '1049'
const CURSOR = '25'
const WRAP = '7'

const top = (daemon: Daemon, args: readonly string[] = [], options: WindowOptions = {}) =>
  openWindow([process.execPath, CLI, 'top', '--socket', daemon.control, ...args], options)

/** As it was before the program. */
function expectRestored({ modes, restored, unknown }: Sight): void {
  expect({ modes, restored, unknown }).toEqual({
    modes: { [ALTERNATE_SCREEN]: false, [CURSOR]: true, [WRAP]: true },
    restored: true,
    unknown: [],
  })
}

describe('the window', () => {
  it('shows what happened before it was opened', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const worker = await Asker.connect(daemon.control)
    await worker.lease('web', { ready: true })
    const window = top(daemon)
    await window.shows(/events ─+\s+[\d:]+ granted +web[\s\S]*ready +web/)
    window.type('q')
    expectRestored(await window.end())
    worker.client.close()
  })

  it('shows names, holders and events as they happen, and takes keys', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const window = top(daemon)
    const first = await window.shows(/2 names · sort: config · 0\/0 ready/)
    expect(first.modes).toEqual({ [ALTERNATE_SCREEN]: true, [CURSOR]: false, [WRAP]: false })
    expect(first.restored).toBe(false)

    const worker = await Asker.connect(daemon.control)
    await worker.lease('web', { ready: true, label: 'first' })
    await window.shows(/web .* 1\/1 .* ok[\s\S]*granted +web/)

    window.type('/mail\r')
    await window.shows(/1 of 2 names/)
    window.type('\u001b')
    await window.shows(/> web|web .*shared/)
    window.type('\r')
    await window.shows(/GENERATION +IS[\s\S]*LEASE +PID[\s\S]*first/)

    window.type('p')
    await window.shows(/pause web\?/)
    window.type('y')
    await window.shows(/web · shared · paused/)
    window.type('py')
    await window.shows(/web · shared · ok/)

    window.type('D')
    await window.shows(/drain the holder of lease 1\?/)
    window.type('n')
    await window.shows(/not done/)
    window.type('dy')
    await window.shows(/draining/)
    window.type('\u001b')
    await window.shows(/2 names/)
    window.type('q')
    const last = await window.end()
    expect(last.ended).toBe(0)
    expectRestored(last)
  })

  it('follows its size', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const window = top(daemon)
    await window.shows(/2 names/)
    for (const [columns, rows] of [
      [200, 50],
      [40, 10],
      [80, 24],
    ] as const) {
      window.resize(columns, rows)
      const { lines } = await window.shows(rows < 12 ? /2 names[\s\S]*web/ : /2 names[\s\S]*events ─[\s\S]*q quit/)
      expect(lines).toHaveLength(rows)
    }
  })

  it('writes only what changed', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const window = top(daemon, ['--interval', '0.2'])
    const before = await window.shows(/2 names/)
    // The clock in the title ticks, sparklines fill; the other lines are not written again.
    await until(async () => (await window.look()).written > before.written, 'a second drawing')
    const { written } = await window.look()
    const whole = 80 * 24
    await until(async () => (await window.look()).written > written, 'a third drawing')
    expect((await window.look()).written - written).toBeLessThan(whole)
  })

  it('has no colour with NO_COLOR, and marks the row under the cursor', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const window = top(daemon, [], { env: { NO_COLOR: '1' } })
    expect((await window.shows(/2 names/)).lines.filter((line) => line.startsWith('>'))).toHaveLength(1)
  })

  it('is ASCII where the locale is not UTF-8', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const window = top(daemon, [], { env: { LC_ALL: 'C' } })
    const { lines } = await window.shows(/web .*ok|web .*idle/)
    expect(lines.join('')).toMatch(/^[ -~]*$/)
  })
})

describe('the terminal is restored', () => {
  const opened = async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const window = top(daemon)
    await window.shows(/2 names/)
    return { daemon, window }
  }

  it.each<[string, string]>([
    ['q', 'q'],
    ['Ctrl-C', '\u0003'],
  ])('by %s, with status 0', async (_, keys) => {
    const { window } = await opened()
    window.type(keys)
    const last = await window.end()
    expect(last.ended).toBe(0)
    expectRestored(last)
  })

  it.each<NodeJS.Signals>(['SIGTERM', 'SIGINT', 'SIGHUP'])('by %s', async (signal) => {
    const { window } = await opened()
    window.signal(signal)
    const last = await window.end()
    expect(last.ended).toBe(0)
    expectRestored(last)
  })

  it('by a fault of its own, which is reported after', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const hook = 'Math.floor = () => { throw new Error("a fault of its own") }'
    const later = `process.stdin.on("newListener", () => setTimeout(() => { ${hook} }, 4000))`
    const window = top(daemon, [], {
      env: { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(later)}` },
    })
    await window.shows(/2 names/)
    const last = await window.end()
    expect(last.ended).toBe(111)
    expect(last.lines.join('\n')).toContain('fd-broker: a fault of its own')
    expectRestored(last)
  })
})

it.each([
  ['the program hears of it by SIGHUP', ''],
  ['SIGHUP is ignored', 'trap "" HUP; '],
])('a window that is closed ends it quietly: %s', async (_, before) => {
  const daemon = await startDaemon({ sockets: NAMES })
  const complaints = join(daemon.directory, 'complaints')
  const script = `${before}exec "$@" 2> ${complaints}`
  const window = openWindow(['sh', '-c', script, 'sh', process.execPath, CLI, 'top', '--socket', daemon.control])
  await window.shows(/2 names/)
  window.close()
  const { ended } = await window.end()
  expect([ended, readFileSync(complaints, 'utf8')]).toEqual([0, ''])
})

it('a window whose terminal is also stderr may be closed', async () => {
  const daemon = await startDaemon({ sockets: NAMES })
  const window = top(daemon)
  await window.shows(/2 names/)
  window.close()
  expect((await window.end()).ended).toBe(0)
})

it('a broker that goes away is said to, and its successor is shown', async () => {
  const daemon = await startDaemon({ sockets: NAMES })
  const window = top(daemon, ['--interval', '0.2'])
  await window.shows(/2 names/)
  await daemon.stop('SIGKILL')
  await window.shows(/broker away, trying again/)
  launch(daemon.directory, daemon.config)
  await window.shows(/q quit/)
  window.type('q')
  expect((await window.end()).ended).toBe(0)
})

it('a broker that is not there is told as by any command, and the screen is left alone', async () => {
  const window = openWindow([process.execPath, CLI, 'top', '--socket', '/nonexistent/control.sock'])
  const { ended, modes, lines } = await window.end()
  expect([ended, modes]).toEqual([111, {}])
  expect(lines.join('\n')).toContain('/nonexistent/control.sock')
})

describe('without a terminal', () => {
  async function print(daemon: Daemon, args: string, { env = {} } = {}) {
    const child = spawn('bash', ['-c', `"$0" "$1" top ${args}`, process.execPath, CLI], {
      env: { ...process.env, FD_BROKER_SOCKET: daemon.control, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
    return { status, stdout, stderr }
  }

  it('prints the table again and again, --count times', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const { status, stdout, stderr } = await print(daemon, '--interval 0.1 --count 3')
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout.match(/^NAME +ADDRESS.*STATE$/gm)).toHaveLength(3)
    expect(stdout.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/gm)).toHaveLength(3)
    expect(stdout).not.toContain('\u001b')
  })

  it('says its interval in the unit that it takes', async () => {
    expect(execFileSync(process.execPath, [CLI, 'top', '--help'], { encoding: 'utf8' })).toMatch(
      /--interval <seconds> .*\(default: 1\)/,
    )
  })

  it('prints one JSON object a line with --json', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const { stdout } = await print(daemon, '--json --interval 0.1 --count 2')
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({ at: expect.any(Number), sockets: [{ name: 'web' }, { name: 'mail' }] })
    }
  })

  it('ends with 0 when its reader has seen enough', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const { stdout } = await print(daemon, '--interval 0.1 | head -1; echo "status $PIPESTATUS"')
    expect(stdout).toMatch(/^\d{4}.*\nstatus 0\n$/)
  })

  it('goes on while the broker is away, and says so', async () => {
    const daemon = await startDaemon({ sockets: NAMES })
    const seen = join(daemon.directory, 'seen')
    const printing = print(daemon, `--interval 1 --count 4 | { read x; touch ${seen}; cat; }`)
    await until(() => existsSync(seen), 'the first table')
    await daemon.stop('SIGKILL')
    const { stderr, status } = await printing
    expect(status).toBe(0)
    expect(stderr).toContain('fd-broker: broker away, trying again: ')
  })
})
