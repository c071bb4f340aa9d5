// docs/sdk-reference.md is what TypeDoc writes from the sources as they are.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const ROOT = resolve(import.meta.dirname, '../..')
const committed = readFileSync(join(ROOT, 'docs/sdk-reference.md'), 'utf8')

it('the reference of the SDK is current (else: node scripts/reference/main.mjs)', { timeout: 120_000 }, () => {
  const file = join(temporaryDirectory(), 'sdk-reference.md')
  execFileSync(process.execPath, [join(ROOT, 'scripts/reference/main.mjs'), file], {
    // libuv would clear O_NONBLOCK on what it inherits, which is ours too.
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  expect(readFileSync(file, 'utf8')).toBe(committed)
})

it('it describes every export, and each of their members', () => {
  const types = readFileSync(join(ROOT, 'dist/client/index.d.ts'), 'utf8')
  const lists = [...types.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, names]) => names!.match(/\w+/g) ?? [])
  expect(lists).toContain('LeaseEvents')
  for (const name of lists) expect(committed).toMatch(new RegExp(`^### ${name}$`, 'm'))
  for (const method of ['acquire', 'drain', 'serve', 'take']) expect(committed).toContain(`##### ${method}()`)
})
