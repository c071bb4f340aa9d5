import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BROKER_KEYS } from './broker-keys.ts'
import { typesFor } from './build-options.ts'
import type { ConfigEnv } from './config-env.ts'
import { formatFaults } from './fault.ts'
import { NAME_KEYS } from './name-keys.ts'
import { configurationTables } from './option-docs.ts'
import { OPTION_KEYS } from './option-keys.ts'
import { parseConfig } from './read-config.ts'

const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')
const everyone = { user: () => 1, group: () => 1 }
const env: ConfigEnv = { uid: 0, accounts: everyone, login: () => ({ uid: 1, gid: 1 }) }

/** What is wrong with a text, as it would be printed; empty when it is good. */
function wrong(text: string): string {
  const result = parseConfig(text, 'example.toml', env)
  return 'faults' in result ? formatFaults(result.faults) : ''
}

const LISTEN: Record<string, string> = {
  tcp: 'tcp://127.0.0.1:8080',
  udp: 'udp://127.0.0.1:8080',
  unix: 'unix:///run/example',
  'unix-dgram': 'unix-dgram:///run/example',
  'unix-seqpacket': 'unix-seqpacket:///run/example',
  vsock: 'vsock://any:8080',
}

describe('docs/configuration.md', () => {
  it.each(Object.entries(configurationTables()))('has the table of %s as the reader knows it', (name, table) => {
    const [, documented] = page.split(`<!-- table: ${name} -->\n`)
    expect(documented?.split('\n<!-- end -->')[0]).toBe(table)
  })

  it('has only examples that are good', () => {
    const blocks = [...page.matchAll(/```toml\n(.*?)```/gs)].map(([, text]) => text!)
    const files = blocks.filter((text) => text.includes('[sockets'))
    expect(files.length).toBeGreaterThanOrEqual(4)
    for (const text of files) expect(wrong(text)).toBe('')
  })
})

describe('the example of each key', () => {
  it.each(Object.entries(BROKER_KEYS))('[broker] %s', (name, key) => {
    expect(wrong(`[broker]\n${name} = ${key.example}`)).toContain(key.refused ?? '')
    if (!('refused' in key)) expect(wrong(`[broker]\n${name} = ${key.example}`)).toBe('')
  })

  it.each(Object.entries(NAME_KEYS))('[sockets.NAME] %s', (name, key) => {
    const listen = name === 'listen' ? '' : 'listen = "tcp://127.0.0.1:8080"\n'
    expect(wrong(`[sockets.a]\n${listen}${name} = ${key.example}`)).toBe('')
  })

  it.each(Object.entries(OPTION_KEYS))('%s, for each type that takes it', (name, key) => {
    const types = typesFor(name)
    expect(types).not.toEqual([])
    for (const type of types)
      expect(wrong(`[sockets.a]\nlisten = "${LISTEN[type]}"\n${name} = ${key.example}`)).toBe('')
  })
})
