// A key of the configuration. All that is known of it stands in its row: the reader checks by it, the docs are tested
// against it.

import { parse } from 'smol-toml'
import * as v from 'valibot'
import type { Kind } from './kind.ts'

export interface Key<T> {
  type: string
  range: string
  schema: v.GenericSchema<unknown, NonNullable<T>>
  /** The value when the key is absent. */
  fallback: T
  /** The default as TOML, or in words where there is no fixed one. */
  default: string
  /** A value as TOML. */
  example: string
  /** One line for the docs. */
  doc: string
  /** Why this version refuses the key, and what to do instead. */
  refused?: string
}

interface Row {
  example: string
  doc: string
  refused?: string
}

export type Keys = Readonly<Record<string, Key<unknown>>>

/** What a table of these keys holds once it is read. */
export type Values<K extends Keys> = { [Name in keyof K]: K[Name] extends Key<infer T> ? T : never }

/** A key with a default value, given as TOML. */
export function key<T extends {}>(kind: Kind<T>, row: Row & { default: string }): Key<T> {
  return { ...kind, ...row, fallback: v.parse(kind.schema, tomlValue(row.default)) }
}

/** A key that may be absent; `default` says in words what holds then. */
export function optional<T extends {}>(kind: Kind<T>, row: Row & { default: string }): Key<T | undefined> {
  return { ...kind, ...row, fallback: undefined }
}

export function tomlValue(text: string): unknown {
  return parse(`value = ${text}`).value
}
