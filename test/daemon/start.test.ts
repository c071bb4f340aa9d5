import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import {
  type Daemon,
  exitOf,
  IS_ROOT,
  launch,
  NOBODY,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  until,
  writeConfig,
} from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()
const installedCopy = useInstalledCopy()

const WEB = `[sockets.web]\nlisten = "unix://{dir}/web.sock"\nallow = ["user:${process.getuid!()}"]`

/** Starts a broker that has to fail; its last words. */
async function refusal(directory: string, sockets = WEB): Promise<string> {
  const daemon = launch(directory, writeConfig(directory, { sockets }))
  expect(await exitOf(daemon)).toBe(111)
  return daemon.logs().at(-1)!['msg'] as string
}

describe('a control path', () => {
  it('has one broker: a second one says who runs, and harms nothing', async () => {
    const first = await startDaemon({ sockets: WEB })
    expect(await refusal(first.directory)).toMatch(new RegExp(`another broker \\(pid ${first.pid}\\) runs on`))
    const asker = await Asker.connect(first.control)
    expect(await asker.ask('list')).toMatchObject({ ok: true, sockets: [{ name: 'web' }] })
    asker.close()
    expect(existsSync(join(first.directory, 'web.sock'))).toBe(true)
    await stopCleanly(first)
  })

  it('is won by exactly one of 20 brokers that start at once', { timeout: 120_000 }, async () => {
    const directory = temporaryDirectory()
    const config = writeConfig(directory, { sockets: WEB })
    const daemons = Array.from({ length: 20 }, () => launch(directory, config))
    const ended = (daemon: Daemon) => daemon.process.exitCode !== null
    await until(() => daemons.filter(ended).length >= 19, 'all but one have given up', 100_000)
    const winners = daemons.filter((daemon) => !ended(daemon))
    expect(winners.length).toBe(1)
    const [winner] = winners as [Daemon]
    await until(() => winner.logs().some(({ msg }) => msg === 'serving'), 'it serves')
    for (const daemon of daemons.filter(ended)) {
      expect(daemon.process.exitCode).toBe(111)
      expect(daemon.logs().at(-1)!['msg']).toContain(`another broker (pid ${winner.pid})`)
    }
    const asker = await Asker.connect(winner.control)
    expect(await asker.ask('list')).toMatchObject({ ok: true })
    asker.close()
    await stopCleanly(winner)
    expect(readdirSync(directory)).toEqual(['broker.toml'])
  })

  it('that a killed broker left behind is taken over', async () => {
    const first = await startDaemon({ sockets: WEB })
    await first.stop('SIGKILL')
    expect(lstatSync(first.control).isSocket()).toBe(true)
    const second = await startDaemon({ sockets: WEB, directory: first.directory })
    await stopCleanly(second)
  })

  it.each<[string, (path: string) => void]>([
    ['a symbolic link', (path) => symlinkSync('/nonexistent/elsewhere', path)],
    ['a regular file', (path) => writeFileSync(path, 'precious')],
  ])('that is %s is left alone', async (_, make) => {
    const directory = temporaryDirectory()
    const path = join(directory, 'control.sock')
    make(path)
    const before = lstatSync(path)
    expect(await refusal(directory)).toContain(path)
    expect(lstatSync(path)).toMatchObject({ ino: before.ino, mode: before.mode })
    expect(existsSync(`${path}.lock`)).toBe(false)
    expect(existsSync(join(directory, 'web.sock'))).toBe(false)
  })

  it('that another program answers on is left alone', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'control.sock')
    const other = startPython(
      's = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); s.listen(); say("ready"); wait()',
      [path],
    )
    await other.line()
    expect(await refusal(directory)).toContain(`pid ${other.pid} answers on ${path}`)
    expect(existsSync(path)).toBe(true)
    other.write('')
    await other.exit()
  })

  it('in a missing directory has it made, which nobody else may write to', async () => {
    const directory = temporaryDirectory()
    const config = join(directory, 'broker.toml')
    const control = join(directory, 'new/deep/control.sock')
    writeFileSync(config, `[broker]\ncontrol = "${control}"\n`)
    const daemon = launch(directory, config)
    await until(() => existsSync(control), 'it listens')
    expect(lstatSync(join(directory, 'new/deep')).mode & 0o777).toBe(0o755)
    expect(await daemon.stop()).toBe(0)
    expect(readdirSync(join(directory, 'new/deep'))).toEqual([])
  })

  it.each<[string, (directory: string) => void, RegExp]>([
    ['everybody may write to', (directory) => chmodSync(directory, 0o777), /others may write/],
    ['a group may write to', (directory) => chmodSync(directory, 0o775), /others may write/],
  ])('in a directory that %s is refused', async (_, spoil, message) => {
    const directory = temporaryDirectory()
    spoil(directory)
    expect(await refusal(directory)).toMatch(message)
    expect(readdirSync(directory)).toEqual(['broker.toml'])
  })

  it.runIf(IS_ROOT)('in a directory of another user is refused (needs root)', async () => {
    const directory = temporaryDirectory()
    chownSync(directory, NOBODY, NOBODY)
    expect(await refusal(directory)).toContain(`belongs to uid ${NOBODY}`)
    expect(readdirSync(directory)).toEqual(['broker.toml'])
  })
})

describe('a broker', () => {
  it.runIf(IS_ROOT)('runs as an ordinary user on a control path of its own (needs root)', async () => {
    const directory = temporaryDirectory()
    chownSync(directory, NOBODY, NOBODY)
    const sockets = `[sockets.web]\nlisten = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]\nallow = ["user:${NOBODY}"]`
    const cli = join(installedCopy(), 'dist/cli/main.js')
    const daemon = await startDaemon({ directory, sockets, uid: NOBODY, cli })
    const worker = startWorker(
      daemon,
      `
broker = connect()
lease = granted(broker, 'web')
broker.ready(lease.id)
say(broker.holders('web')[0]['uid'], len(lease.sockets))
`,
      NOBODY,
    )
    expect(await worker.line()).toBe(`${NOBODY} 2`)
    await worker.exit()
    // Root is an admin of any broker, unless the config says otherwise.
    const root = await Asker.connect(daemon.control)
    expect(await root.ask('list')).toMatchObject({ ok: true })
    expect(await root.ask('acquire', { name: 'web' })).toMatchObject({ code: 'DENIED' })
    root.close()
    expect(lstatSync(daemon.control).uid).toBe(NOBODY)
    await stopCleanly(daemon)
    expect(readdirSync(directory).sort()).toEqual(['broker.toml', 'client'])
  })

  it.runIf(IS_ROOT)('of an ordinary user is told what a privileged port needs (needs root)', async () => {
    const directory = temporaryDirectory()
    chownSync(directory, NOBODY, NOBODY)
    const config = writeConfig(directory, { sockets: '[sockets.web]\nlisten = "tcp://127.0.0.1:81"\nallow = ["any"]' })
    const daemon = launch(directory, config, { uid: NOBODY, cli: join(installedCopy(), 'dist/cli/main.js') })
    expect(await exitOf(daemon)).toBe(111)
    expect(daemon.stderr()).toContain('CAP_NET_BIND_SERVICE')
    expect(readdirSync(directory)).toEqual(['broker.toml'])
  })

  it('names every fault of its config, and touches nothing', async () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'sub'))
    const config = writeConfig(directory, {
      broker: 'helo_timeout = "1s"\nmax_connections_per_uid = 0\nadmins = ["user:no-such-user"]',
      sockets: `[sockets.web]
listen = ["tcp://127.0.0.1:99999", "unix://relative"]
allow = ["user:0 shoe:9", "any user:0"]
mode = "exclusiv"
ready_timeout = 5
no_delay = "yes"
[sockets."../up"]
listen = "tcp://127.0.0.1:8080"
[sockets.dns]
listen = "udp://127.0.0.1:5353"
backlog = 5
[sockets.one]
listen = "unix://{dir}/same.sock"
[sockets.two]
listen = "unix://{dir}/same.sock"
[sockets.empty]
allow = ["any"]
[nonsense]`,
    })
    const daemon = launch(directory, config)
    expect(await exitOf(daemon)).toBe(100)
    const lines = daemon.stderr().trim().split('\n')
    const places = lines.map((line) => line.slice(0, line.indexOf(': ')))
    expect(places.every((place) => /broker\.toml:\d+:\d+$/.test(place))).toBe(true)
    for (const fault of [
      ...['helo_timeout', 'hello_timeout', 'max_connections_per_uid', 'no-such-user', '99999', 'relative', 'shoe'],
      ...['exclusiv', 'ready_timeout', 'no_delay', '../up', 'backlog', 'same.sock', 'sockets.empty', 'nonsense'],
    ]) {
      expect(lines.filter((line) => line.includes(fault)).length, fault).toBeGreaterThan(0)
    }
    expect(readdirSync(directory).sort()).toEqual(['broker.toml', 'sub'])
  })

  it.each<[string, (config: string) => void]>([
    ['is missing', () => {}],
    ['is a directory', (config) => mkdirSync(config)],
    ['is not TOML', (config) => writeFileSync(config, '[broker\n')],
    ['is not UTF-8', (config) => writeFileSync(config, Buffer.from([0x5b, 0xff, 0x5d]))],
  ])('whose config %s exits 100 and says which file', async (_, make) => {
    const directory = temporaryDirectory()
    const config = join(directory, 'broker.toml')
    make(config)
    const daemon = launch(directory, config)
    expect([await exitOf(daemon), daemon.stderr()]).toEqual([100, expect.stringContaining(config)])
  })
})
