// The rows of the tables in docs/configuration.md, from the tables of keys.

import { BROKER_KEYS } from './broker-keys.ts'
import { SOCKET_TYPES, typesFor } from './build-options.ts'
import type { Key, Keys } from './key.ts'
import { NAME_KEYS } from './name-keys.ts'
import { OPTION_KEYS } from './option-keys.ts'

const HEAD = '| key | type | default | applies to | example | meaning |\n| --- | --- | --- | --- | --- | --- |'

/** The three tables of the page, by the heading that each stands under. */
export function configurationTables(): Record<'[broker]' | '[sockets.NAME]' | 'Socket options', string> {
  return {
    '[broker]': table(BROKER_KEYS, () => 'broker'),
    '[sockets.NAME]': table(NAME_KEYS, () => 'name'),
    'Socket options': table(OPTION_KEYS, applies),
  }
}

function table(keys: Keys, appliesTo: (key: string) => string): string {
  const rows = Object.entries(keys).map(([name, key]) => row(name, key, appliesTo(name)))
  return [HEAD, ...rows].join('\n')
}

function row(name: string, key: Key<unknown>, appliesTo: string): string {
  const meaning = [`${key.doc}.`]
  if (key.range !== '') meaning.push(`Range: ${key.range}.`)
  if (key.refused !== undefined) meaning.push(`Refused ${key.refused}.`)
  const cells = [`\`${name}\``, key.type, fallback(key), appliesTo, `\`${key.example}\``, meaning.join(' ')]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

/** TOML is set as code, words are words. */
function fallback(key: Key<unknown>): string {
  return key.fallback === undefined ? key.default : `\`${key.default}\``
}

function applies(key: string): string {
  const types = typesFor(key)
  return types.length === SOCKET_TYPES.length ? 'all types' : types.join(', ')
}
