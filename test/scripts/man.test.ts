// The manual pages: made at build, without a warning of the programs that show them, and with all that --help and the docs have.

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { BROKER_KEYS } from '../../src/daemon/config/broker-keys.ts'
import { NAME_KEYS } from '../../src/daemon/config/name-keys.ts'
import { OPTION_KEYS } from '../../src/daemon/config/option-keys.ts'
import { STUB } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { isInstalled } from '../support/readme.ts'

forbidLeaks()

const DIRECTORY = resolve(import.meta.dirname, '../../dist/man')
const PAGES = ['fd-broker.1', 'fd-broker.toml.5']
/** How man makes bold: the character, a step back, the character again. */
const OVERSTRIKE = new RegExp(`.${'\b'}`, 'g')
const at = (page: string) => resolve(DIRECTORY, page)

/** As on a screen, words not broken. */
function shown(page: string): string {
  const args = ['-l', '--no-hyphenation', '--no-justification', at(page)]
  const text = execFileSync('man', args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LC_ALL: 'C', MANWIDTH: '200', MAN_KEEP_FORMATTING: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return text.replace(OVERSTRIKE, '').replace(/\s+/g, ' ')
}

describe.each(PAGES)('%s', (page) => {
  it('is plain ASCII, whatever the locale of its reader', () => {
    expect(readFileSync(at(page), 'utf8')).toMatch(/^[\n -~]*$/)
  })

  it.runIf(isInstalled('mandoc'))('has no fault that mandoc knows (needs mandoc)', () => {
    expect(spawnSync('mandoc', ['-Tlint', '-Wwarning', at(page)], { encoding: 'utf8' }).stdout).toBe('')
  })

  it.runIf(isInstalled('groff'))('is shown by groff without a warning (needs groff)', () => {
    const { stderr, status } = spawnSync('groff', ['-man', '-Tascii', '-ww', at(page)], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
  })
})

describe.runIf(isInstalled('man'))('on a screen (needs man)', () => {
  it('fd-broker(1) has what --help has, of each command', () => {
    const page = shown('fd-broker.1')
    for (const command of Object.keys(COMMANDS).filter((name) => name !== 'complete-names')) {
      const help = execFileSync(STUB, [command, '--help'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      const said = help
        .replace(/^[\s\S]*?-h, --help.*\n/, '')
        .replaceAll('’', "'")
        .replaceAll('…', '...')
      expect(page).toContain(` ${command} [options]`)
      for (const [option] of help.matchAll(/--[a-z-]+/g)) expect(page).toContain(option)
      for (const line of said.split('\n').filter((line) => line.startsWith('  '))) {
        expect(page).toContain(line.trim().replace(/\s+/g, ' '))
      }
    }
    expect(page).toContain(
      ' EXIT STATUS 0 done, 1 refused, 100 wrong usage or bad config, 111 the system failed. FILES ',
    )
  })

  it('fd-broker.toml(5) has every key', () => {
    const page = shown('fd-broker.toml.5')
    const keys = [BROKER_KEYS, NAME_KEYS, OPTION_KEYS].flatMap((table) => Object.keys(table))
    expect(keys.length).toBeGreaterThan(40)
    for (const key of keys) expect(page).toContain(` ${key} `)
  })
})
