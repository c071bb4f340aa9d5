import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { newToken } from '../../src/daemon/tokens.ts'
import { IS_ROOT, startDaemon, stopCleanly } from '../support/daemon.ts'
import { report } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { copyClient } from '../support/worker.ts'

forbidLeaks()

const python = execFileSync('python3', ['-c', 'import os; print(os.path.realpath("/proc/self/exe"))'], {
  encoding: 'utf8',
}).trim()
const { secret, hash } = newToken()

const POLICY = {
  admins: ['user:0 group:0', 'user:60002 group:60012'],
  viewers: ['group:60011', 'user:60003 token:a'],
  names: {
    anyone: ['any'],
    nobody: [],
    one: ['user:60001'],
    root: ['user:0'],
    group: ['group:60011'],
    both: ['user:60001 group:60011'],
    either: ['user:60001', 'group:60012'],
    twice: ['group:60011 group:60012'],
    program: [`exe:${python} user:60002`],
    other: ['exe:/bin/nothing', 'exe:/bin/nothing user:0'],
    secret: ['token:a'],
    'secret/group': ['token:a group:60011', 'user:65534'],
  },
  secrets: { a: secret, wrong: `${secret}x` },
  identities: {
    uids: [0, 60_001, 60_002, 60_003, 65_534],
    gids: [0, 60_001, 60_011],
    groups: [[], [60_011], [60_012], [60_011, 60_012]],
    tokens: ['', 'a', 'wrong'],
  },
}

const list = (rules: readonly string[]) => JSON.stringify(rules)

describe.runIf(IS_ROOT)('the policy (needs root)', () => {
  it('answers every user, group, token, name and verb as the documentation says', { timeout: 180_000 }, async () => {
    const sockets = Object.entries(POLICY.names).map(
      ([name, rules]) => `[sockets."${name}"]\nlisten = "tcp://127.0.0.1:0"\nguard = false\nallow = ${list(rules)}`,
    )
    const daemon = await startDaemon({
      sockets: `${sockets.join('\n')}\n[tokens]\na = "${hash}"`,
      broker: `admins = ${list(POLICY.admins)}\nviewers = ${list(POLICY.viewers)}\nmax_requests_per_uid = 1000000`,
      mode: 0o600,
    })
    const client = copyClient(daemon.directory)
    const script = join(client, 'authorization_matrix.py')
    copyFileSync(resolve(import.meta.dirname, '../python/authorization_matrix.py'), script)
    const child = spawn('python3', ['-B', script, daemon.control], { stdio: ['pipe', 'pipe', 'ignore'] })
    child.stdin.end(JSON.stringify(POLICY))
    const stdout = await text(child.stdout)
    const { tried, refused, wrong, wrongs } = JSON.parse(stdout)
    report('authorization matrix', { tried, refused, wrong: wrongs })
    expect(wrong).toEqual([])
    expect(tried).toBeGreaterThanOrEqual(5000)
    expect(refused).toBeGreaterThan(1000)
    expect(tried - refused).toBeGreaterThan(1000)
    await stopCleanly(daemon)
  })
})
