import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { atEnd } from '../support/cleanup.ts'
import { childrenOf, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { brokerPid, socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { RawClient } from '../support/raw-client.ts'
import { install, runUpgrade } from '../support/upgrade.ts'

forbidLeaks()
endPythons()
const installedCopy = useInstalledCopy()

const SOCKETS = `[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]
allow = ["user:${process.getuid!()}"]`

const MAIN = 'dist/cli/main.js'
const KEEPER = 'dist/sys/keeper.js'
const main = (text: string) => (copy: string) => install(copy, MAIN, () => text)
const atReady = (statement: string) => (copy: string) =>
  install(copy, KEEPER, (text) => text.replace(/^ {4}ready\(\) \{$/m, `    ready() { ${statement};`))

function remove(copy: string): void {
  const path = join(copy, MAIN)
  renameSync(path, `${path}.away`)
  atEnd(() => renameSync(`${path}.away`, path))
}

it.each<[string, (copy: string) => void, RegExp]>([
  ['is missing', remove, /ended with status 1 before it was prepared/],
  ['has a syntax error', main('this is no program('), /ended with status 1 before it was prepared/],
  [
    'crashes at its start',
    main("process.kill(process.pid, 'SIGSEGV')"),
    /was ended by signal 11 before it was prepared/,
  ],
  ['ends at once with status 0', main('process.exit(0)'), /ended with status 0 before it was prepared/],
  ['hangs at its start', main('setInterval(() => {}, 1000)'), /was not loaded within 10 s/],
  [
    'refuses what it is handed',
    (copy) =>
      install(copy, 'dist/daemon/kept-descriptors.js', (text) =>
        text.replace('this.kept = store.take();', "this.kept = store.take(); throw new Error('that is not for me')"),
      ),
    /that is not for me/,
  ],
  [
    'reads another version of the state',
    (copy) =>
      install(copy, 'dist/daemon/state/format.js', (text) => text.replace('STATE_VERSION = 1', 'STATE_VERSION = 2')),
    /is of version 1, and this program reads version 2/,
  ],
  [
    'dies between frozen and ready',
    atReady("process.kill(process.pid, 'SIGKILL')"),
    /was ended by signal 9 before it was ready/,
  ],
  ['hangs between frozen and ready', atReady('return'), /had not taken over within 350 ms/],
])(
  'a new version that %s leaves the old one serving; the command says why and exits 1',
  { timeout: 60_000 },
  async (_, spoil, why) => {
    const copy = installedCopy()
    const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, MAIN) })
    const broker = await brokerPid(daemon)
    const sockets = await socketsOf(daemon, 'web')
    const client = new RawClient(daemon.control)
    await client.hello()
    spoil(copy)
    const upgrade = runUpgrade(daemon)
    let asked = 0
    const slowest = { ms: 0 }
    for (let ended = false; !ended; ) {
      const started = performance.now()
      expect((await client.ask(++asked, 'list')).message).toMatchObject({ ok: true })
      slowest.ms = Math.max(slowest.ms, performance.now() - started)
      ended = await Promise.race([
        upgrade.then(() => true),
        new Promise<boolean>((resolve) => setTimeout(resolve, 5, false)),
      ])
    }
    const { status, stderr } = await upgrade
    expect(stderr).toMatch(why)
    expect(stderr).toContain(`this broker (pid ${broker}) goes on`)
    expect(status).toBe(1)
    expect(await brokerPid(daemon)).toBe(broker)
    expect(await socketsOf(daemon, 'web')).toEqual(sockets)
    await until(() => childrenOf(daemon.pid).length === 1, 'the new one has gone')
    client.close()
    await stopCleanly(daemon)
  },
)

it('a configuration that has become faulty is refused, fault by fault, each on a line of its own', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const broker = await brokerPid(daemon)
  writeFileSync(daemon.config, '[broker]\nnonsense = 1\n[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nbaklog = 2\n')
  const { status, stderr } = await runUpgrade(daemon)
  expect(status).toBe(1)
  const lines = stderr.trimEnd().split('\n')
  expect(lines[0]).toMatch(/^fd-broker: upgrade failed: .*broker\.toml:2:1: broker\.nonsense: unknown key/)
  expect(lines[1]).toMatch(/^\S*broker\.toml:\d+:\d+: sockets\.web/)
  expect(lines.at(-1)).toContain(`this broker (pid ${broker}) goes on`)
  expect(stderr).not.toContain('x0a')
  await stopCleanly(daemon)
})

it('one that fails has not put its own state in place of the other’s with systemd', async () => {
  const copy = installedCopy()
  const directory = temporaryDirectory()
  const manager = startPython(
    `s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); say('up')
while True: say(repr(s.recv(4096).decode()))`,
    [join(directory, 'notify')],
  )
  await manager.line()
  const said: string[] = []
  const listening = (async () => {
    for (;;) said.push(await manager.line())
  })().catch(() => {})
  const env = { NOTIFY_SOCKET: join(directory, 'notify'), FDSTORE: '100' }
  const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, MAIN), env })
  const ofState = () => said.filter((line) => line.includes('FDNAME=.state'))
  await until(() => ofState().length > 0, 'the state is stored')
  const before = ofState()
  atReady("process.kill(process.pid, 'SIGKILL')")(copy)
  expect((await runUpgrade(daemon)).status).toBe(1)
  daemon.process.kill('SIGHUP')
  await until(() => said.some((line) => line.includes('RELOADING')), 'all that was said is heard')
  expect(ofState()).toEqual(before)
  await daemon.stop()
  manager.process.kill('SIGKILL')
  await listening
})
