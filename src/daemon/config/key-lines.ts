// The TOML parser gives no positions of values, so a complaint about a key asks here where that key stands.

import type { KeyPath } from './key-path.ts'
import { NESTING_MAX } from './limits.ts'
import { type Cursor, endOfLine, type KeyPart, readKey, skipBareValue, skipBlank, skipString } from './toml-scan.ts'

/** Line and column, counted from 1. */
export interface Position {
  line: number
  column: number
}

/** The positions of all keys and array elements of one text. */
export class KeyLines {
  readonly #offsets: ReadonlyMap<string, number>
  readonly #lineStarts: readonly number[]

  constructor(offsets: ReadonlyMap<string, number>, lineStarts: readonly number[]) {
    this.#offsets = offsets
    this.#lineStarts = lineStarts
  }

  /** Where this very key or element stands. */
  at(path: KeyPath): Position | undefined {
    const offset = this.#offsets.get(slot(path))
    return offset === undefined ? undefined : this.#position(offset)
  }

  /** Where the key stands, or else the nearest table or array around it: a missing key has no place of its own. */
  nearest(path: KeyPath): Position | undefined {
    for (let length = path.length; length > 0; length--) {
      const position = this.at(path.slice(0, length))
      if (position !== undefined) return position
    }
    return undefined
  }

  #position(offset: number): Position {
    let low = 0
    let high = this.#lineStarts.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#lineStarts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - this.#lineStarts[low]! + 1 }
  }
}

/** Scans a text that the TOML parser has accepted. */
export function keyLines(text: string): KeyLines {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return new KeyLines(new Scan(text).document(), starts)
}

const slot = (path: KeyPath): string => JSON.stringify(path)

class Scan {
  readonly #cursor: Cursor
  readonly #offsets = new Map<string, number>()
  /** How many elements each [[array of tables]] has so far. */
  readonly #tables = new Map<string, number>()

  constructor(text: string) {
    this.#cursor = { text, at: 0 }
  }

  document(): ReadonlyMap<string, number> {
    const cursor = this.#cursor
    let table: KeyPath = []
    for (;;) {
      skipBlank(cursor, 'lines')
      if (cursor.at >= cursor.text.length) return this.#offsets
      if (cursor.text[cursor.at] === '[') table = this.#header()
      else this.#pair(table)
      cursor.at = endOfLine(cursor)
    }
  }

  #header(): KeyPath {
    const cursor = this.#cursor
    const many = cursor.text[cursor.at + 1] === '['
    cursor.at += many ? 2 : 1
    const parts = readKey(cursor)
    const last = parts.pop()!
    const parent = this.#walk([], parts)
    const path = [...parent, last.name]
    if (!many) {
      // [a.b] may come before [a]; a's own header is the better place for it.
      this.#offsets.set(slot(path), last.at)
      return path
    }
    const index = this.#tables.get(slot(path)) ?? 0
    this.#tables.set(slot(path), index + 1)
    this.#mark(path, last.at)
    this.#mark([...path, index], last.at)
    return [...path, index]
  }

  /** Goes down the parts of a dotted key; an array of tables on the way means its last element. */
  #walk(from: KeyPath, parts: readonly KeyPart[]): KeyPath {
    let path = from
    for (const part of parts) {
      // No key of ours is nearly so deep; a dotted key of a million parts must not cost a million paths.
      if (path.length >= NESTING_MAX) break
      path = [...path, part.name]
      this.#mark(path, part.at)
      const count = this.#tables.get(slot(path))
      if (count !== undefined) path = [...path, count - 1]
    }
    return path
  }

  #pair(table: KeyPath): void {
    const cursor = this.#cursor
    const path = this.#walk(table, readKey(cursor))
    // At the '='. Anything else is no TOML; a step forward keeps the scan finite.
    cursor.at++
    skipBlank(cursor, 'line')
    this.#value(path)
  }

  #value(path: KeyPath): void {
    const cursor = this.#cursor
    const char = cursor.text[cursor.at]
    if (char === '"' || char === "'") skipString(cursor)
    else if (char === '[') this.#members(']', (index) => this.#element([...path, index]))
    else if (char === '{') this.#members('}', () => this.#pair(path))
    else skipBareValue(cursor)
  }

  #element(path: KeyPath): void {
    this.#mark(path, this.#cursor.at)
    this.#value(path)
  }

  #members(closing: string, member: (index: number) => void): void {
    const cursor = this.#cursor
    cursor.at++
    for (let index = 0; ; index++) {
      skipBlank(cursor, 'lines')
      if (cursor.at >= cursor.text.length) return
      if (cursor.text[cursor.at] === closing) break
      member(index)
      skipBlank(cursor, 'lines')
      if (cursor.text[cursor.at] === ',') cursor.at++
      else break
    }
    if (cursor.text[cursor.at] === closing) cursor.at++
  }

  #mark(path: KeyPath, offset: number): void {
    if (!this.#offsets.has(slot(path))) this.#offsets.set(slot(path), offset)
  }
}
