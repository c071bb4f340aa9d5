// Which rows a reader shows, and in which order: names by globs, words of a closed set, sort keys. Wrong words are wrong usage.

import { InvalidArgumentError, Option } from 'commander'
import type { Broker } from '../client/index.ts'
import { BrokerError } from '../protocol/errors.ts'
import { quote } from '../protocol/quote.ts'
import { didYouMean } from '../protocol/suggest.ts'
import type { Env } from './env.ts'

export interface SelectOptions {
  user?: string
  state?: string
  sort?: string
  reverse?: boolean
}

/** `*` any characters, `?` one: of names, which have a plain alphabet. */
export function matches(glob: string, name: string): boolean {
  const escaped = glob.replace(/[.+^${}()|[\]\\/-]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(name)
}

export const isGlob = (name: string) => /[*?]/.test(name)

/** Those rows whose name fits one of the globs; all, without globs. A plain name that does not exist is NOT_FOUND. */
export function selectNames<Row extends { name: string }>(
  rows: readonly Row[],
  globs: readonly string[],
  names: Iterable<string> = rows.map(({ name }) => name),
): Row[] {
  const known = new Set(names)
  for (const glob of globs) {
    if (isGlob(glob) || known.has(glob)) continue
    const remedy = didYouMean(glob, known, '`fd-broker list` shows those there are')
    throw new BrokerError('NOT_FOUND', `there is no name ${quote(glob)}${remedy}`)
  }
  return globs.length === 0 ? [...rows] : rows.filter(({ name }) => globs.some((glob) => matches(glob, name)))
}

/** A line on standard error when the broker has no such name now: what is asked for may be of one that it had. */
export async function warnOfUnknownName(broker: Broker, env: Env, name: string): Promise<void> {
  const names = (await broker.list()).map((view) => view.name)
  if (names.includes(name)) return
  const remedy = didYouMean(name, names, '`fd-broker list` shows those there are')
  env.stderr.write(`fd-broker: there is no name ${quote(name)} now${remedy}\n`)
}

/** By the account's name or by the uid. */
export function isUser({ user, uid }: { user: string; uid: number }, wanted: string): boolean {
  return user === wanted || String(uid) === wanted
}

export function oneOfOption(flags: string, description: string, words: readonly string[]): Option {
  const option = new Option(flags, `${description}: ${words.join(', ')}`).argParser((word: string) => {
    if (words.includes(word)) return word
    throw new InvalidArgumentError(`${quote(word)} is none${didYouMean(word, words, `use ${words.join(', ')}`)}`)
  })
  // For completion; commander's own `choices` would say them twice in help.
  return Object.assign(option, { words })
}

type Value = string | number
export type SortKeys<Row> = Readonly<Record<string, (row: Row) => Value>>

/** Figures from the largest, words from a to z; `reverse` turns that round. Equal ones stay as they were. */
export function sortRows<Row>(rows: readonly Row[], keys: SortKeys<Row>, { sort, reverse }: SelectOptions): Row[] {
  const key = sort === undefined ? undefined : keys[sort]
  const sorted = key === undefined ? [...rows] : [...rows].sort((a, b) => compare(key(a), key(b)))
  return reverse ? sorted.reverse() : sorted
}

function compare(a: Value, b: Value): number {
  if (typeof a === 'number' && typeof b === 'number') return b - a
  return String(a) < String(b) ? -1 : Number(a !== b)
}
