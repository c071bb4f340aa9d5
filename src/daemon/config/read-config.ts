// TOML text → checked model. Nothing of the host is touched; the accounts are looked up.

import type { Address } from '../../protocol/address.ts'
import { nameFault } from '../../protocol/names.ts'
import { didYouMean } from '../../protocol/suggest.ts'
import { buildBroker } from './build-broker.ts'
import { buildName } from './build-name.ts'
import { buildTokens } from './build-tokens.ts'
import { checkOverlaps, type PlacedClaim } from './check-overlaps.ts'
import type { ConfigEnv } from './config-env.ts'
import { type ConfigText, readConfigFile } from './config-file.ts'
import type { Fault } from './fault.ts'
import { keyLines } from './key-lines.ts'
import type { KeyPath } from './key-path.ts'
import { NAMES_MAX } from './limits.ts'
import type { BrokerModel, Config, NameModel } from './model.ts'
import { parseToml } from './parse-toml.ts'
import { isTable, type Table } from './read-table.ts'
import { Report } from './report.ts'

export type ConfigResult = { config: Config; warnings: Fault[] } | { faults: Fault[]; warnings: Fault[] }

/** Reads and checks a config file. Never throws for what the file holds: all its faults come back at once. */
export function readConfig(file: string, env: ConfigEnv): ConfigResult {
  const read = readConfigFile(file, env.uid)
  if ('fault' in read) return { faults: [{ file, message: read.fault }], warnings: [] }
  const result = parseConfig(read.text, file, env)
  if ('config' in result && isExposed(read, result.config))
    return { faults: [placed(result.config, ['tokens'], exposed(file, read.mode))], warnings: result.warnings }
  if (read.warning !== undefined) result.warnings.unshift({ file, severity: 'warning', message: read.warning })
  return result
}

/** A complaint about a key of a file that was good when it was parsed. */
export function placed({ file, text }: Pick<Config, 'file' | 'text'>, key: KeyPath, message: string): Fault {
  return { file, ...keyLines(text).nearest(key), key, message }
}

/** The group may read it where that is the group of the user that the broker becomes: it reads the file again at a reload. */
function isExposed({ mode, gid }: ConfigText, { tokens, broker }: Config): boolean {
  const ownGroup = gid !== 0 && gid === broker.user?.gid
  return tokens.size > 0 && (mode & (ownGroup ? 0o004 : 0o044)) !== 0
}

function exposed(file: string, mode: number): string {
  const readers = (mode & 0o004) !== 0 ? 'everyone' : 'its group'
  return `${readers} may read this file, and what the secrets are checked against; chmod go-r ${file}`
}

/** The same for a text that is in memory already; `file` is what the complaints call it. */
export function parseConfig(text: string, file: string, env: ConfigEnv): ConfigResult {
  const parsed = parseToml(text, file)
  if ('fault' in parsed) return { faults: [parsed.fault], warnings: [] }
  const report = new Report(file, keyLines(text))
  const tables = readRoot(parsed.table, report)
  const tokens = buildTokens(parsed.table.tokens ?? {}, report)
  const known = { ...env, tokens }
  const broker = buildBroker(tables.broker, known, report)
  const names = readNames(tables.sockets, broker, known, report)
  const { faults, warnings } = report
  if (faults.length > 0) return { faults, warnings }
  if (names.size === 0)
    warnings.push({
      file,
      severity: 'warning',
      message: 'has no names, so workers have nothing to ask for; add [sockets.NAME]',
    })
  return { config: { file, text, broker, names, tokens }, warnings }
}

const ROOT = ['broker', 'sockets', 'tokens']

function readRoot(root: Table, report: Report): { broker: Table; sockets: Table } {
  for (const key of Object.keys(root))
    if (!ROOT.includes(key))
      report.fault([key], `unknown key${didYouMean(key, ROOT, 'a config has [broker], [sockets.NAME] and [tokens]')}`)
  const table = (key: 'broker' | 'sockets', header: string): Table => {
    const value = Object.hasOwn(root, key) ? root[key] : {}
    if (isTable(value)) return value
    report.fault([key], `must be a table; write [${header}] and the keys below it`)
    return {}
  }
  return { broker: table('broker', 'broker'), sockets: table('sockets', 'sockets.NAME') }
}

function ownClaims({ control, metrics }: BrokerModel): PlacedClaim[] {
  const claim = (key: string, address: Address): PlacedClaim => {
    const path = ['broker', key]
    return { address, ipv6Only: false, owner: path, path }
  }
  const claims = [claim('control', { type: 'unix', path: control })]
  return metrics === undefined ? claims : [...claims, claim('metrics', metrics.address)]
}

function readNames(sockets: Table, broker: BrokerModel, env: ConfigEnv, report: Report): Map<string, NameModel> {
  const names = new Map<string, NameModel>()
  // The broker's own come first, so that a name that takes one of them is at fault.
  const claims = ownClaims(broker)
  const entries = Object.entries(sockets)
  if (entries.length > NAMES_MAX)
    report.fault(['sockets'], `has ${entries.length} names; at most ${NAMES_MAX} can be held`)
  for (const [name, table] of entries.slice(0, NAMES_MAX)) {
    const fault = nameFault(name)
    if (fault !== undefined) report.fault(['sockets', name], `the name ${fault}; choose another`)
    if (!isTable(table)) {
      report.fault(['sockets', name], `must be a table; write [sockets.NAME] and the keys of the name below it`)
      continue
    }
    const built = buildName(name, table, env, report)
    names.set(name, built.model)
    claims.push(...built.claims)
  }
  checkOverlaps(claims, report)
  return names
}
