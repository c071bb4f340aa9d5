import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const NATIVE = resolve(import.meta.dirname, '../../native')
const FAKE = join(import.meta.dirname, 'fake_broker.py')
const FLAGS = ['-std=gnu11', '-D_GNU_SOURCE', '-g', '-O1', '-Wall', '-Wextra', '-Werror']
const SANITIZE = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer']

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'fd-broker-keeper-'))
  const sources = readdirSync(NATIVE).filter((name) => /^keeper.*\.c$/.test(name))
  execFileSync('gcc', [...FLAGS, ...SANITIZE, ...sources.map((name) => join(NATIVE, name)), '-o', keeper()])
}, 120_000)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const keeper = () => join(directory, 'keeper')

interface Ended {
  status: number | null
  stderr: string
}

/** Runs the sanitized keeper with a fake broker, to its end. */
async function run(scenario: string, through: readonly string[] = []): Promise<Ended> {
  const words = [...through, keeper(), 'python3', FAKE]
  const env = { ...process.env, SCENARIO: scenario, FLAG: join(directory, 'flag'), ASAN_OPTIONS: 'handle_abort=1' }
  const child = spawn(words[0]!, words.slice(1), { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [status, stderr] = await Promise.all([ended, text(child.stderr)])
  return { status, stderr }
}

function expectSound({ stderr }: Ended): void {
  expect(stderr).not.toMatch(/Sanitizer|runtime error|Traceback/)
}

describe('the keeper, under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
  it.each<[string, string, number]>([
    ['refuses malformed packets, too long keys and too large packets, and loses no descriptor', 'malformed', 0],
    ['keeps exactly what a model keeps over 5,000 random packets', 'random_packets', 0],
    ['counts what a broker said before its death, 20,000 packets of it', 'last_words', 3],
    ['outlives brokers that die while they take what it keeps', 'dies_while_it_takes', 0],
    ['hands signals that come without a serving broker to the next one that serves', 'signals_that_wait', 4],
    ['gives a candidate no say before it is the broker, and the former one none after', 'candidate', 5],
    ['tells a candidate of every change since it was given everything', 'follows', 6],
    ['says so where it could not tell of every change', 'follows_too_late', 6],
  ])('%s', { timeout: 60_000 }, async (_, scenario, status) => {
    const ended = await run(scenario)
    expectSound(ended)
    expect(ended).toMatchObject({ status })
  })

  it('refuses what its descriptor table has no room for, and goes on', { timeout: 60_000 }, async () => {
    const ended = await run('full', ['prlimit', '--nofile=80:80'])
    expectSound(ended)
    expect(ended).toMatchObject({ status: 0 })
  })

  it('keeps what systemd passed, under .listen/N/FDNAME', async () => {
    const shell = 'exec 3</dev/null 4</dev/null; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web exec "$@"'
    const ended = await run('passed', ['sh', '-c', shell, 'sh'])
    expectSound(ended)
    expect(ended).toMatchObject({ status: 0 })
  })

  it('is seen by the sanitizers: a keeper that reads beyond a key is ended', () => {
    execFileSync('gcc', ['-xc', '-', ...SANITIZE, '-o', join(directory, 'broken')], {
      input: '#include <stdlib.h>\nint main(int n, char **v) { char *key = malloc(n); return key[n] + !v + !key; }',
    })
    expect(() => execFileSync(join(directory, 'broken'), { stdio: 'pipe' })).toThrow(/AddressSanitizer/)
  })
})
