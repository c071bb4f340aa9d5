// deploy/install, as a Debian package would call it: into a directory that stands for the root.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const ROOT = resolve(import.meta.dirname, '../..')
const install = (...args: string[]) => execFileSync(join(ROOT, 'deploy/install'), args, { encoding: 'utf8' })
const filesIn = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory())

it('puts program, unit, user, completions and config in place, and takes them away', { timeout: 120_000 }, () => {
  const root = temporaryDirectory()
  install('--destdir', root)
  expect(execFileSync(join(root, 'usr/bin/fd-broker'), ['--version'], { encoding: 'utf8' })).toMatch(/^\d+\.\d+\.\d+$/m)
  for (const path of [
    'usr/lib/systemd/system/fd-broker.service',
    'usr/lib/systemd/system/fd-broker@.socket',
    'usr/lib/sysusers.d/fd-broker.conf',
    'usr/lib/tmpfiles.d/fd-broker.conf',
    'usr/share/bash-completion/completions/fd-broker',
    'usr/share/zsh/vendor-completions/_fd-broker',
    'usr/share/fish/vendor_completions.d/fd-broker.fish',
    'etc/fd-broker/broker.toml',
  ]) {
    expect(statSync(join(root, path)).size).toBeGreaterThan(0)
  }
  install('--destdir', root, '--uninstall')
  expect(filesIn(root)).toEqual([])
  expect(existsSync(join(root, 'usr'))).toBe(false)
})

it('starts the program of its own prefix, and keeps a config that somebody has changed', { timeout: 120_000 }, () => {
  const root = temporaryDirectory()
  install('--destdir', root, '--prefix', '/opt/fd')
  const unit = readFileSync(join(root, 'opt/fd/lib/systemd/system/fd-broker.service'), 'utf8')
  expect(unit).toContain('ExecStart=/opt/fd/bin/fd-broker serve')
  const config = join(root, 'etc/fd-broker/broker.toml')
  writeFileSync(config, '# mine\n')
  install('--destdir', root, '--prefix', '/opt/fd')
  install('--destdir', root, '--prefix', '/opt/fd', '--uninstall')
  expect(readFileSync(config, 'utf8')).toBe('# mine\n')
  expect(filesIn(root)).toHaveLength(1)
})

it('its config is one that the broker takes', () => {
  const argv = [join(ROOT, 'dist/cli/main.js'), 'check', join(ROOT, 'deploy/broker.toml')]
  expect(execFileSync(process.execPath, argv, { encoding: 'utf8', stdio: 'pipe' })).toContain('ok')
})
