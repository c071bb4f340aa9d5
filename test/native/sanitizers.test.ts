import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const NATIVE = resolve(import.meta.dirname, '../../native')

const GUARD = ['audit.c', 'diag.c', 'filter_probe.c', 'inet_diag.c', 'md5_diag.c', 'unix_diag.c', 'watch.c']

/** Each knows no Node.js: what is plain C in native/, with a main() that tries everything. */
const HARNESSES: [string, string[], string[]][] = [
  ['scm_harness.c', ['scm.c'], ['-Wl,--wrap=recvmsg,--wrap=close']],
  ['sock_harness.c', ['sock.c'], []],
  ['owned_harness.c', ['owned.c'], []],
  ['notify_harness.c', ['notify.c', 'notify_queue.c', 'scm.c'], ['-pthread']],
  ['guard_harness.c', GUARD, ['-pthread']],
]

/** Compiles and runs it; returns what it says. */
function runHarness(harness: string, sources: readonly string[], flags: readonly string[], sanitizers: string): string {
  const program = join(temporaryDirectory(), 'harness')
  const files = [resolve(import.meta.dirname, harness), ...sources.map((source) => join(NATIVE, source))]
  const strict = ['-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-g', '-O1', `-I${NATIVE}`]
  const checked = [`-fsanitize=${sanitizers}`, '-fno-sanitize-recover=all', '-fno-omit-frame-pointer']
  execFileSync('gcc', [...strict, ...checked, '-o', program, ...files, ...flags], { stdio: 'pipe' })
  return execFileSync(program, ['7'], { encoding: 'utf8', stdio: 'pipe', timeout: 100_000 })
}

describe('under AddressSanitizer and UndefinedBehaviorSanitizer', { timeout: 120_000 }, () => {
  it.each(HARNESSES)('%s says nothing is wrong', (harness, sources, flags) => {
    expect(runHarness(harness, sources, flags, 'address,undefined')).toBe('ok\n')
  })
})

describe('under ThreadSanitizer', { timeout: 120_000 }, () => {
  it.each(HARNESSES.filter(([, , flags]) => flags.includes('-pthread')))('%s says nothing is wrong', (...harness) => {
    expect(runHarness(...harness, 'thread')).toBe('ok\n')
  })
})
