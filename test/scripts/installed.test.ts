import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/installed.mjs', import.meta.url))
const wanted = {
  '': { name: 'project' },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/b': { version: '2.0.0', optional: true },
}

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'installed-'))
  writeFileSync(join(directory, 'package-lock.json'), JSON.stringify({ packages: wanted }))
  mkdirSync(join(directory, 'node_modules'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function isInstalled(packages?: object): boolean {
  if (packages) writeFileSync(join(directory, 'node_modules/.package-lock.json'), JSON.stringify({ packages }))
  return spawnSync(process.execPath, [script], { cwd: directory }).status === 0
}

it('accepts an install that has all of the lock file', () => {
  expect(isInstalled(wanted)).toBe(true)
})
it('accepts an install without an optional package', () => {
  expect(isInstalled({ 'node_modules/a': { version: '1.0.0' } })).toBe(true)
})
it('refuses one that lacks a package', () => {
  expect(isInstalled({ 'node_modules/b': { version: '2.0.0' } })).toBe(false)
})
it('refuses one with another version', () => {
  expect(isInstalled({ ...wanted, 'node_modules/a': { version: '1.0.1' } })).toBe(false)
})
it('refuses one with a package too many', () => {
  expect(isInstalled({ ...wanted, 'node_modules/c': { version: '1.0.0' } })).toBe(false)
})
it('refuses a directory that npm has not finished', () => {
  expect(isInstalled()).toBe(false)
})
