import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { newToken } from '../../src/daemon/tokens.ts'
import { Asker, closeAll } from '../support/asker.ts'
import {
  CLI,
  type Daemon,
  exitOf,
  IS_ROOT,
  launch,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  until,
  writeConfig,
} from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { RawClient } from '../support/raw-client.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const { secret, hash } = newToken()
const ME = `user:${process.getuid!()}`
const TOKENS = `
[sockets.web]
listen = "tcp://127.0.0.1:0"
allow = ["${ME} token:deploy"]
[sockets.open]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
[tokens]
deploy = "${hash}"
other = "${newToken().hash}"
`

async function start(broker = ''): Promise<Daemon> {
  const directory = temporaryDirectory()
  return startDaemon({ sockets: TOKENS, broker, directory, mode: 0o600 })
}

/** The codes that acquiring `web` is answered with after a hello of these keys. */
async function answerTo(daemon: Daemon, hello: Record<string, unknown>): Promise<unknown> {
  const client = new RawClient(daemon.control)
  expect((await client.ask(0, 'hello', { version: 1, ...hello })).message).toMatchObject({ ok: true })
  const { message, fds } = await client.ask(1, 'acquire', { name: 'web' })
  closeAll(fds)
  client.close()
  return message['ok'] === true ? 'granted' : message['code']
}

describe('a rule with token:', () => {
  it('holds for who told the secret with hello, and for nobody else', async () => {
    const daemon = await start()
    expect(await answerTo(daemon, { token: secret })).toBe('granted')
    for (const token of [undefined, '', 'x', secret.slice(1), `${secret} `, hash, hash.slice(7), 'deploy']) {
      expect(await answerTo(daemon, token === undefined ? {} : { token })).toBe('DENIED')
    }
    expect(daemon.stderr()).not.toContain(secret)
    await stopCleanly(daemon)
  })

  it('is told by the SDK and the command line, from an option, a file or FD_BROKER_TOKEN', async () => {
    const daemon = await start()
    await using broker = connect({ socket: daemon.control, token: secret })
    const lease = await broker.acquire('web')
    await lease.release()
    await using nobody = connect({ socket: daemon.control })
    await expect(nobody.acquire('web')).rejects.toMatchObject({ code: 'DENIED' })

    const file = join(daemon.directory, 'secret')
    writeFileSync(file, `${secret}\n`, { mode: 0o600 })
    const exec = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
      execFileSync(
        process.execPath,
        [CLI, '--socket', daemon.control, ...args, 'exec', 'web', '--', 'echo', 'granted'],
        {
          env: { ...process.env, ...env },
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      )
    expect(exec(['--token-file', file])).toBe('granted\n')
    expect(exec([], { FD_BROKER_TOKEN: secret })).toBe('granted\n')
    expect(() => exec([])).toThrow(/DENIED/)
    chmodSync(file, 0o640)
    expect(() => exec(['--token-file', file])).toThrow(/may be read by others/)
    writeFileSync(file, 'two secrets')
    chmodSync(file, 0o600)
    expect(() => exec(['--token-file', file])).toThrow(/must hold one secret/)
    expect(() => exec(['--token-file', '/nowhere'])).toThrow(/ENOENT/)
    expect(() => exec(['--token-file', file])).toThrow(expect.objectContaining({ status: 100 }) as Error)
    await stopCleanly(daemon)
  })

  it.runIf(IS_ROOT)('makes an admin at hello, who is exempt from quotas from then on (needs root)', async () => {
    const daemon = await start('admins = ["token:deploy"]\nmax_connections_per_uid = 2')
    const worker = startWorker(
      daemon,
      `
def told(token):
    broker = Connection(sys.argv[2], timeout=30)
    broker.request('hello', version=1, token=token)
    return broker
secret = wait().strip()
kept = []
for _ in range(5):
    kept.append(told(secret))
say(code(kept[0].request, 'stats'))
mine = [told('wrong') for _ in range(2)]
say(code(mine[0].request, 'stats'), code(told, 'wrong'))
for each in kept: each.close()
mine.pop().close()
for _ in range(100):
    if code(lambda: mine.append(told('wrong'))) == 'ok': break
    time.sleep(0.02)
say(len(mine), code(told, 'wrong'))
`,
      60_001,
    )
    worker.write(secret)
    expect(await worker.line()).toBe('ok')
    expect(await worker.line()).toBe('DENIED LIMIT')
    expect(await worker.line()).toBe('2 LIMIT')
    await worker.exit()
    await stopCleanly(daemon)
  })
})

describe('a config with tokens', () => {
  it.each([0o640, 0o604, 0o644])('of mode %o is refused: others may read it', async (mode) => {
    const directory = temporaryDirectory()
    const daemon = launch(directory, writeConfig(directory, { sockets: TOKENS, mode }))
    expect(await exitOf(daemon)).toBe(100)
    expect(daemon.stderr()).toMatch(/tokens: (its group|everyone) may read this file, .*chmod go-r/)
  })
})

describe('fd-broker token new', () => {
  const token = (...args: string[]) =>
    execFileSync(process.execPath, [CLI, 'token', ...args], { encoding: 'utf8', stdio: 'pipe' })

  it('prints a secret and the line that knows it, which a broker takes', async () => {
    const [, made] = /^secret: (\S+)$/m.exec(token('new', 'deploy'))!
    expect(made).toMatch(/^[\w-]{43}$/)
    const { secret: one, hash: known, config, name } = JSON.parse(token('new', 'api/v2', '--json'))
    expect({ name, config }).toEqual({ name: 'api/v2', config: `"api/v2" = "${known}"` })
    const directory = temporaryDirectory()
    const sockets = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["token:api/v2"]\n[tokens]\n${config}`
    const daemon = await startDaemon({ sockets, directory, mode: 0o600 })
    expect(readFileSync(daemon.config, 'utf8')).not.toContain(one)
    expect(await answerTo(daemon, { token: one })).toBe('granted')
    await until(async () => {
      const asker = await Asker.connect(daemon.control)
      const { holders } = await asker.ask('holders')
      asker.close()
      return (holders as unknown[]).length === 0
    }, 'the lease is over')
    await stopCleanly(daemon)
  })

  it('refuses a name that no rule could have', () => {
    expect(() => token('new', 'a b')).toThrow(/must begin with a letter or digit/)
    expect(() => token('new')).toThrow(/missing required argument/)
  })
})
