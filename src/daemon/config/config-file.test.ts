import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readConfigFile } from './config-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'fd-broker-config-'))
afterAll(() => rmSync(directory, { recursive: true }))

function file(content: string | Uint8Array, mode = 0o644): string {
  const path = join(directory, `${Math.random()}.toml`)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

const OTHER = 1000

describe('the config file', () => {
  it('is read as UTF-8', () => expect(readConfigFile(file('# ü'), OTHER)).toMatchObject({ text: '# ü' }))

  it('is named, with how to make one, when it is missing', () => {
    expect(readConfigFile(join(directory, 'none'), OTHER)).toEqual({
      fault:
        'does not exist; make one that begins with [sockets.NAME] and listen = "tcp://…" (see docs/configuration.md), or name another',
    })
  })

  it('is refused when it is a directory, a FIFO or a device', () => {
    const fault = { fault: 'is not a regular file; give the path of the config file itself' }
    const fifo = join(directory, 'fifo')
    execFileSync('mkfifo', [fifo])
    expect(readConfigFile(directory, OTHER)).toEqual(fault)
    expect(readConfigFile(fifo, OTHER)).toEqual(fault)
    expect(readConfigFile('/dev/zero', OTHER)).toEqual(fault)
  })

  it('is refused above 4 MiB, and taken at 4 MiB', () => {
    const path = file('')
    truncateSync(path, 4 * 1024 * 1024 + 1)
    expect(readConfigFile(path, OTHER)).toEqual({ fault: 'is larger than 4 MiB; is it the config file?' })
    truncateSync(path, 4 * 1024 * 1024)
    expect(readConfigFile(path, OTHER)).toHaveProperty('text.length', 4 * 1024 * 1024)
  })

  it('is refused when it is not UTF-8', () => {
    expect(readConfigFile(file(Uint8Array.of(0x23, 0xfc)), OTHER)).toEqual({
      fault: 'is not UTF-8; convert it, for instance with iconv -f latin1 -t utf-8',
    })
  })

  it('is refused by a root broker when others may write it', () => {
    const path = file('', 0o664)
    expect(readConfigFile(path, 0)).toEqual({ fault: `can be written by others than its owner; chmod go-w ${path}` })
    expect(readConfigFile(file('', 0o646), 0)).toHaveProperty('fault')
    expect(readConfigFile(path, OTHER)).toMatchObject({ text: '' })
  })

  it.runIf(process.getuid?.() === 0)(
    'is warned about by a root broker when it is not root’s (needs root for chown)',
    () => {
      const path = file('')
      execFileSync('chown', ['65534', path])
      expect(readConfigFile(path, 0)).toMatchObject({
        text: '',
        warning: `belongs to uid 65534, who thus decides for root; chown root ${path}`,
      })
    },
  )
})
