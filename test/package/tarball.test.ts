// What is published, installed in an empty directory and used. `scripts/test-node --package VERSION…` does the same under other
// versions of Node.js and npm.

import { execFile } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IS_ROOT, NOBODY, temporaryDirectory } from '../support/daemon.ts'
import { type Packed, packDependencies, packPackage } from '../support/packed.ts'
import { isInstalled, runFromNothing } from '../support/readme.ts'
import { startRegistry } from '../support/registry.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

let directory: string
let packed: Packed
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'fd-broker-pack-'))
  packed = packPackage(directory)
}, 300_000)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
  gypfile: boolean
}

describe('the tarball', () => {
  it.runIf(isInstalled('musl-gcc'))('is at most 1 MB (needs musl-gcc: scripts/setup-tools)', () => {
    expect(packed.bytes).toBeLessThan(1024 * 1024)
  })

  it('has what runs, what it can be built from and what is read, and no test', () => {
    const here = `prebuilds/linux-${process.arch}`
    for (const file of ['dist/cli/fd-broker', 'dist/client/index.d.ts', 'binding.gyp', 'native/scm.c', 'README.md'])
      expect(packed.files).toContain(file)
    expect(packed.files).toContain(`${here}/fd-broker.napi.glibc.node`)
    expect(packed.files).toContain(`${here}/fd-broker-keeper`)
    expect(packed.files.filter((file) => /test|^src\/|^bench\/|^scripts\/|\.map$/.test(file))).toEqual([])
  })

  it('runs nothing when it is installed', () => {
    expect(manifest.gypfile).toBe(false)
    for (const script of ['preinstall', 'install', 'postinstall']) expect(manifest.scripts).not.toHaveProperty(script)
  })

  it('is installed in an empty directory without scripts, and serves, takes over, and says how to build a missing addon', {
    timeout: 300_000,
  }, async () => {
    const tarballs = [packed.tarball, ...packDependencies(directory)]
    const { stdout } = await run(join(ROOT, 'scripts/try-package'), tarballs, { cwd: directory, timeout: 290_000 })
    expect(stdout).toContain('installed, served, took over')
  })

  it('is all that somebody needs who has nothing but the README: its tour, from npm install on', {
    timeout: 300_000,
  }, async () => {
    const home = temporaryDirectory()
    const uid = IS_ROOT ? NOBODY : process.getuid!()
    if (IS_ROOT) chownSync(home, uid, uid)
    const registry = await startRegistry([packed.tarball, ...packDependencies(directory)])
    await runFromNothing('README.md', {
      cwd: home,
      uid,
      env: { PATH: process.env['PATH'], HOME: home, npm_config_registry: registry },
    })
  })
})
