import * as v from 'valibot'
import { didYouMean } from '../../protocol/suggest.ts'
import type { Key, Keys, Values } from './key.ts'
import type { KeyPath } from './key-path.ts'
import type { Report } from './report.ts'

export type Table = Readonly<Record<string, unknown>>

export function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

/**
 * Reads the keys of one table. A key at fault is reported and gets its default, so that the checks that follow can go
 * on and find the other faults; the result of a file with faults is thrown away.
 */
export function readTable<K extends Keys>(keys: K, table: Table, path: KeyPath, report: Report): Values<K> {
  for (const name of Object.keys(table)) {
    if (Object.hasOwn(keys, name)) continue
    const dotted = isTable(table[name]) && path.length === 2 && path[0] === 'sockets'
    const quoted = dotted ? `a name with a dot is quoted: [sockets."${path[1]}.${name}"]; else ` : ''
    const remedy = didYouMean(name, Object.keys(keys), `${quoted}remove it; docs/configuration.md lists the keys`)
    report.fault([...path, name], `unknown key${remedy}`)
  }
  const values: Record<string, unknown> = {}
  for (const [name, key] of Object.entries(keys)) {
    values[name] = Object.hasOwn(table, name) ? readValue(key, table[name], [...path, name], report) : key.fallback
  }
  return values as Values<K>
}

function readValue(key: Key<unknown>, value: unknown, path: KeyPath, report: Report): unknown {
  if (key.refused !== undefined) {
    report.fault(path, key.refused)
    return key.fallback
  }
  const result = v.safeParse(key.schema, value)
  if (result.success) return result.output
  for (const issue of result.issues) {
    const inner = (issue.path ?? []).map((item) => item.key as string | number)
    report.fault([...path, ...inner], issue.message)
  }
  return key.fallback
}
