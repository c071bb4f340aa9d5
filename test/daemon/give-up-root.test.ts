import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connect } from '../../src/client/index.ts'
import {
  CLI,
  type Daemon,
  exitOf,
  IS_ROOT,
  launch,
  NOBODY,
  startDaemon,
  temporaryDirectory,
  until,
  writeConfig,
} from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

/** linux/capability.h */
const NUMBERS: Record<string, number> = {
  CAP_CHOWN: 0,
  CAP_DAC_READ_SEARCH: 2,
  CAP_KILL: 5,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_ADMIN: 12,
  CAP_SYS_PTRACE: 19,
}

const field = (status: string, name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)![1]!

function threads({ pid }: Daemon): string[] {
  const tasks = readdirSync(`/proc/${pid}/task`)
  return tasks.map((task) => readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'))
}

/** The capabilities that the command line explains, as the kernel writes a set. */
function explained(config: string): string {
  const text = execFileSync(process.execPath, [CLI, 'check', '--explain', config], { encoding: 'utf8' })
  const names = [...text.matchAll(/^ {2}(CAP_[A-Z_]+) /gm)].map(([, name]) => name!)
  const set = names.reduce((sum, name) => sum | (1n << BigInt(NUMBERS[name]!)), 0n)
  return set.toString(16).padStart(16, '0')
}

const CONFIGS: [string, string][] = [
  ['no feature', '[sockets.web]\nlisten = "unix://{dir}/web"\nallow = []'],
  ['anchors and holders of other users', '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]'],
  ['a low port and a mark', '[sockets.web]\nlisten = "tcp://127.0.0.1:1013"\nmark = 3\nguard = false\nallow = []'],
  [
    'exe: rules and an exclusive name',
    '[sockets.web]\nlisten = "unix://{dir}/web"\nmode = "exclusive"\nallow = ["exe:/bin/a"]',
  ],
]

describe.runIf(IS_ROOT)('a broker of root with user = "nobody" (needs root)', () => {
  it.each(CONFIGS)('has on every thread what check --explain says and nothing else: %s', async (_, sockets) => {
    const daemon = await startDaemon({ sockets, broker: 'user = "nobody"' })
    const set = explained(daemon.config)
    for (const status of threads(daemon)) {
      expect(field(status, 'Uid').split('\t')).toEqual(Array(4).fill(String(NOBODY)))
      expect(field(status, 'Gid').split('\t')).toEqual(Array(4).fill(String(NOBODY)))
      expect(field(status, 'Groups').trim()).toBe(String(NOBODY))
      for (const name of ['CapPrm', 'CapEff']) expect([name, field(status, name)]).toEqual([name, set])
      for (const name of ['CapInh', 'CapAmb', 'CapBnd']) expect(BigInt(`0x${field(status, name)}`)).toBe(0n)
      expect(field(status, 'NoNewPrivs')).toBe('1')
    }
    const said = daemon.logs().find(({ msg }) => msg === 'root given up')!
    expect(said).toMatchObject({ user: 'nobody', uid: NOBODY, gid: NOBODY })
    expect(
      Object.keys(said['capabilities'] as object).reduce((sum, name) => sum | (1n << BigInt(NUMBERS[name]!)), 0n),
    ).toBe(BigInt(`0x${set}`))
    expect(await daemon.stop()).toBe(0)
  })

  it('makes its state_dir, which is that user’s', async () => {
    const sockets = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nguard = false\nallow = []'
    const directory = temporaryDirectory()
    const state = join(directory, 'lib', 'state')
    const broker = `user = "nobody"\nstate_dir = "${state}"`
    const daemon = await startDaemon({ sockets, broker, directory })
    expect([statSync(join(directory, 'lib')).uid, statSync(state).uid]).toEqual([NOBODY, NOBODY])
    expect(statSync(join(state, 'control.sock.sockets')).mode & 0o777).toBe(0o600)
    expect(daemon.stderr()).not.toContain('state_dir')
    expect(await daemon.stop()).toBe(0)
  })

  it('grants by user, group and exe, to connections and processes, and signals those of other users', async () => {
    const sockets = `
[sockets.web]
listen = "tcp://127.0.0.1:0"
allow = ["user:60001 exe:${realpathSync('/usr/bin/python3')}", "group:60002"]
drain_timeout = "100ms"
on_drain_timeout = "term"`
    const daemon = await startDaemon({ sockets, broker: 'user = "nobody"' })
    const program = "say(code(granted, connect(), 'web'))\nwait()"
    for (const [uid, answer] of [
      [60_001, 'ok'],
      [60_002, 'ok'],
      [60_003, 'DENIED'],
    ] as const) {
      const worker = startWorker(daemon, program, uid)
      expect([uid, await worker.line()]).toEqual([uid, answer])
      worker.write('')
      await worker.exit()
    }
    const bound = startWorker(
      daemon,
      `
broker = connect()
lease = granted(broker, 'web', bind='process', ready=True)
say('granted')
broker.close()
wait()
wait()
`,
      60_001,
    )
    await bound.line()
    await using admin = connect({ socket: daemon.control })
    await until(async () => (await admin.holders()).length === 1, 'it holds')
    await admin.drain({ name: 'web' })
    expect(await bound.exit()).toBeNull()
    await until(async () => (await admin.holders()).length === 0, 'it was told by signal')
    expect(await daemon.stop()).toBe(0)
  })

  it('may be root’s again only by its next start, which clears what it could not remove', async () => {
    const directory = temporaryDirectory()
    const sockets = '[sockets.web]\nlisten = "unix://{dir}/web.sock"\nallow = ["any"]'
    const options = { sockets, broker: 'user = "nobody"', directory }
    for (let start = 0; start < 3; start++) {
      const daemon = await startDaemon(options)
      expect(await daemon.stop(start === 1 ? 'SIGKILL' : 'SIGTERM')).toBe(start === 1 ? null : 0)
      expect(existsSync(daemon.control)).toBe(true)
    }
  })

  it('owns the directory that it made, and leaves nothing there', async () => {
    const directory = temporaryDirectory()
    for (let start = 0; start < 2; start++) {
      const config = writeConfig(directory, {
        sockets: `[sockets.a]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]`,
        broker: 'user = "nobody"',
      })
      writeFileSync(config, readFileSync(config, 'utf8').replace('/control.sock', '/run/fd-broker/control.sock'))
      const daemon = launch(directory, config)
      await until(() => daemon.logs().some(({ msg }) => msg === 'serving'), 'it serves')
      expect(statSync(join(directory, 'run/fd-broker')).uid).toBe(NOBODY)
      await using broker = connect({ socket: `${directory}/run/fd-broker/control.sock` })
      expect((await broker.list()).length).toBe(1)
      await broker.close()
      expect(await daemon.stop()).toBe(0)
      expect(readdirSync(join(directory, 'run/fd-broker'))).toEqual([])
    }
  })

  it('binds another low port at a reload', async () => {
    const low = (label: string, port: number) =>
      `[sockets.${label}]\nlisten = "tcp://127.0.0.1:${port}"\nallow = ["any"]\n`
    const daemon = await startDaemon({ sockets: low('web', 1015), broker: 'user = "nobody"' })
    writeFileSync(daemon.config, readFileSync(daemon.config, 'utf8') + low('more', 1016))
    execFileSync(process.execPath, [CLI, '--socket', daemon.control, 'reload'], { stdio: 'pipe' })
    await using admin = connect({ socket: daemon.control })
    expect((await admin.list()).map(({ name }) => name)).toEqual(['web', 'more'])
    await admin.close()
    expect(await daemon.stop()).toBe(0)
  })

  it('is believed by workers of other users: root called listen(2)', async () => {
    const daemon = await startDaemon({ sockets: CONFIGS[1]![1], broker: 'user = "nobody"' })
    const worker = startWorker(daemon, "broker = connect()\nsay(code(granted, broker, 'web'))", 60_001)
    expect(await worker.line()).toBe('ok')
    await worker.exit()
    expect(await daemon.stop()).toBe(0)
  })
})

it.runIf(IS_ROOT)('a broker of another user says that it cannot become a third (needs root)', async () => {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'own'))
  chownSync(join(directory, 'own'), 60_001, 60_001)
  chmodSync(join(directory, 'own'), 0o755)
  const config = writeConfig(join(directory, 'own'), { sockets: '', broker: 'user = "nobody"' })
  const daemon = launch(directory, config, { uid: 60_001 })
  expect(await exitOf(daemon)).toBe(111)
  expect(daemon.stderr()).toMatch(/only root can become another user, and this is uid 60001/)
})

it('a user that does not exist is a fault of the config', async () => {
  const directory = temporaryDirectory()
  const daemon = launch(directory, writeConfig(directory, { sockets: '', broker: 'user = "no-such-user"' }))
  expect(await exitOf(daemon)).toBe(100)
  expect(daemon.stderr()).toMatch(/broker\.user: there is no user no-such-user/)
})
