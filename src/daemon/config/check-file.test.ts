import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { checkFile } from './check-file.ts'
import type { ConfigEnv } from './config-env.ts'

const directory = mkdtempSync(join(tmpdir(), 'fd-broker-check-'))
afterAll(() => rmSync(directory, { recursive: true }))

const env: ConfigEnv = {
  uid: 1000,
  runtimeDir: '/run/user/1000',
  accounts: { user: () => undefined, group: () => undefined },
  somaxconn: 128,
}

function check(text: string) {
  const path = join(directory, 'broker.toml')
  writeFileSync(path, text)
  const { ok, lines } = checkFile(path, env)
  return { ok, lines: lines.map((line) => line.replaceAll(path, 'broker.toml')) }
}

describe('check', () => {
  it('says in one line what a good file holds', () => {
    const text = '[sockets.a]\nlisten = ["tcp://127.0.0.1:1", "udp://127.0.0.1:1"]\nallow = ["any"]'
    expect(check(text)).toEqual({ ok: true, lines: ['broker.toml: ok: 1 name, 2 sockets'] })
  })

  it('warns of what is allowed and probably not meant', () => {
    const text =
      '[sockets.a]\nlisten = "tcp://127.0.0.1:1"\nbacklog = 4096\n[sockets.b]\nlisten = "unix:///run/b"\nallow = []'
    expect(check(text)).toEqual({
      ok: true,
      lines: [
        'broker.toml:1:10: warning: sockets.a: has no allow, so nobody may have it; add allow = ["user:…"]',
        'broker.toml:3:1: warning: sockets.a.backlog: 4096 is more than net.core.somaxconn, and the kernel will use 128; raise it with sysctl',
        'broker.toml:6:1: warning: sockets.b.allow: is empty, so nobody may have it; add a rule such as "user:…"',
        'broker.toml: ok: 2 names, 2 sockets',
      ],
    })
  })

  it('warns of a file without names', () => {
    expect(check('')).toEqual({
      ok: true,
      lines: [
        'broker.toml: warning: the file has no names, so workers have nothing to ask for; add [sockets.NAME]',
        'broker.toml: ok: 0 names, 0 sockets',
      ],
    })
  })

  it('says all that is wrong with a bad one, and no summary', () => {
    expect(check('[broker]\nviewer = []')).toEqual({
      ok: false,
      lines: ['broker.toml:2:1: broker.viewer: unknown key; did you mean "viewers"?'],
    })
  })

  it('says that a file is missing', () => {
    const { ok, lines } = checkFile('/nonexistent/broker.toml', env)
    expect(ok).toBe(false)
    expect(lines[0]).toMatch(/^\/nonexistent\/broker\.toml: the file does not exist; make one /)
  })
})
