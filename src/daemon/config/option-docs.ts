// The rows of the tables in docs/configuration.md, from the tables of keys.

import { BROKER_KEYS } from './broker-keys.ts'
import { SOCKET_TYPES, typesFor } from './build-options.ts'
import type { Key, Keys } from './key.ts'
import { NAME_KEYS } from './name-keys.ts'
import { OPTION_KEYS } from './option-keys.ts'
import { type Application, BROKER_ROWS, NAME_ROWS } from './reload-rows.ts'

const HEAD =
  '| key | type | default | applies to | reload | example | meaning |\n| --- | --- | --- | --- | --- | --- | --- |'

/** The three tables of the page, by the heading that each stands under. */
export function configurationTables(): Record<'[broker]' | '[sockets.NAME]' | 'Socket options', string> {
  return {
    '[broker]': table(BROKER_KEYS, () => 'broker', BROKER_ROWS),
    '[sockets.NAME]': table(NAME_KEYS, () => 'name', NAME_ROWS),
    'Socket options': table(OPTION_KEYS, applies, NAME_ROWS),
  }
}

type Applied = Readonly<Record<string, { applied: Application; option?: string; unset?: unknown }>>

function table(keys: Keys, appliesTo: (key: string) => string, applied: Applied): string {
  const rows = Object.entries(keys).map(([name, key]) => row(name, key, appliesTo(name), applied[name]!))
  return [HEAD, ...rows].join('\n')
}

function row(name: string, key: Key<unknown>, appliesTo: string, applied: Applied[string]): string {
  const meaning = [`${key.doc}.`]
  if (key.range !== '') meaning.push(`Range: ${key.range}.`)
  if (key.refused !== undefined) meaning.push(`Refused ${key.refused}.`)
  const cells = [
    `\`${name}\``,
    key.type,
    fallback(key),
    appliesTo,
    reload(key, applied),
    `\`${key.example}\``,
    meaning.join(' '),
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

/** Without a value that means "as if never set", only a new socket is without an option again. */
function reload({ fallback: absent }: Key<unknown>, { applied, option, unset }: Applied[string]): string {
  const stays = option !== undefined && applied === 'live' && absent === undefined && unset === undefined
  return stays && !OWNER.has(option) ? 'live; new socket when removed' : applied
}

/** Of the path, whose owner is the broker's user again. */
const OWNER: ReadonlySet<string> = new Set(['socketUser', 'socketGroup'])

/** TOML is set as code, words are words. */
function fallback(key: Key<unknown>): string {
  return key.fallback === undefined ? key.default : `\`${key.default}\``
}

function applies(key: string): string {
  const types = typesFor(key)
  return types.length === SOCKET_TYPES.length ? 'all types' : types.join(', ')
}
