// What a new configuration changes, by name and key.

import { isDeepStrictEqual } from 'node:util'
import type { Config, NameModel } from '../config/model.ts'
import { BROKER_ROWS, NAME_ROWS } from '../config/reload-rows.ts'

export interface Changes {
  added: string[]
  removed: string[]
  changed: { name: string; keys: string[] }[]
  unchanged: string[]
  /** Keys of [broker], and `tokens`. */
  broker: string[]
}

export function diffConfig(current: Config, next: Config): Changes {
  const changes: Changes = { added: [], removed: [], changed: [], unchanged: [], broker: brokerKeys(current, next) }
  for (const [name, model] of next.names) {
    const before = current.names.get(name)
    const keys = before === undefined ? [] : changedKeys(before, model)
    if (before === undefined) changes.added.push(name)
    else if (keys.length > 0) changes.changed.push({ name, keys })
    else changes.unchanged.push(name)
  }
  changes.removed = [...current.names.keys()].filter((name) => !next.names.has(name))
  return changes
}

function brokerKeys(current: Config, next: Config): string[] {
  const keys = Object.entries(BROKER_ROWS)
    .filter(([, { value }]) => !isDeepStrictEqual(value(current.broker), value(next.broker)))
    .map(([key]) => key)
  return isDeepStrictEqual(current.tokens, next.tokens) ? keys : [...keys, 'tokens']
}

export function changedKeys(current: NameModel, next: NameModel): string[] {
  return Object.entries(NAME_ROWS)
    .filter(([, { value }]) => !isDeepStrictEqual(value(current), value(next)))
    .map(([key]) => key)
}

/** The keys, as `broker.control` or `sockets.web.reuse_port`, for which the broker has to be started anew. */
export function restartKeys({ broker, changed }: Changes): string[][] {
  const rows: Record<string, { applied: string }> = { ...BROKER_ROWS, tokens: { applied: 'live' } }
  const names: Record<string, { applied: string }> = NAME_ROWS
  return [
    ...broker.filter((key) => rows[key]!.applied === 'restart').map((key) => ['broker', key]),
    ...changed.flatMap(({ name, keys }) =>
      keys.filter((key) => names[key]!.applied === 'restart').map((key) => ['sockets', name, key]),
    ),
  ]
}
