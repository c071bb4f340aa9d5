// `fd-broker doctor` on this host.

import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CLI, startDaemon, temporaryDirectory, writeConfig } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()
const installed = useInstalledCopy()

interface Finding {
  check: string
  level: string
  finding: string
  remedy?: string
}

const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]'

function doctor(args: readonly string[], cli = CLI) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'doctor', ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

function findings(args: readonly string[], cli?: string): Map<string, Finding> {
  const { stdout } = doctor([...args, '--json'], cli)
  return new Map((JSON.parse(stdout).findings as Finding[]).map((finding) => [finding.check, finding]))
}

describe('with a broker that runs', () => {
  it('finds it by its config, says that it answers, and judges by its rights; exit 0', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const found = findings(['--config', daemon.config])
    expect(found.get('broker')).toMatchObject({ level: 'ok', finding: expect.stringContaining(`pid ${daemon.pid}`) })
    expect(found.get('open files')!.finding).toMatch(/^the broker may open \d+ files/)
    expect(found.get('config')).toMatchObject({ level: 'ok' })
    const { status, stdout, stderr } = doctor(['--config', daemon.config])
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^ok +addon +loaded\n/)
  })

  it('finds it by --socket, whatever the config', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const found = findings(['--socket', daemon.control, '--config', '/nonexistent/broker.toml'])
    expect(found.get('broker')!.level).toBe('ok')
    expect(found.get('config')!.level).toBe('problem')
  })
})

describe('where no config is named', () => {
  it('judges by the one that the running broker was started with', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const found = findings(['--socket', daemon.control])
    expect(found.get('config')).toMatchObject({ level: 'ok', finding: `${daemon.config}: 1 name, 1 socket` })
  })

  it('judges by the one of serve when the broker does not answer', () => {
    const found = findings(['--socket', join(temporaryDirectory(), 'none.sock')])
    expect(found.get('config')!.finding).not.toContain('1 name, 1 socket')
  })
})

describe('without one', () => {
  it('says so, which is a warning; nothing is made', () => {
    const directory = temporaryDirectory()
    const config = writeConfig(directory, { sockets: WEB })
    const before = readdirSync(directory)
    expect(findings(['--config', config]).get('broker')).toMatchObject({ level: 'warning' })
    expect(doctor(['--config', config]).status).toBe(0)
    expect(readdirSync(directory)).toEqual(before)
  })

  it('a problem makes the exit status 1, and is counted', () => {
    const directory = temporaryDirectory()
    const config = writeConfig(directory, { sockets: `${WEB}\nbacklg = 1` })
    const { status, stdout } = doctor(['--config', config, '--json'])
    expect(status).toBe(1)
    expect(JSON.parse(stdout).problems).toBe(1)
    expect(stdout).toContain('did you mean')
  })

  it('a control directory that others may write to is a problem', () => {
    const directory = temporaryDirectory()
    const config = writeConfig(directory, { sockets: WEB })
    chmodSync(directory, 0o777)
    expect(findings(['--config', config]).get('control directory')).toMatchObject({
      level: 'problem',
      remedy: `chmod go-w ${directory}`,
    })
  })
})

it('an installation without its addon and keeper is told, not died of', () => {
  const copy = installed()
  rmSync(join(copy, 'build'), { recursive: true })
  const config = join(temporaryDirectory(), 'broker.toml')
  writeFileSync(config, WEB)
  const found = findings(['--config', config], join(copy, 'dist/cli/main.js'))
  expect(found.get('addon')!.level).toBe('problem')
  expect(found.get('keeper')!.level).toBe('problem')
})
