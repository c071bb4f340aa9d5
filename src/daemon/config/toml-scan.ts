// Steps over TOML that has been parsed already, so that it is known to be well formed. What is not is merely stepped
// over: every step moves forward, so that a scan always ends.

import { parse } from 'smol-toml'

export interface Cursor {
  readonly text: string
  at: number
}

/** One component of a dotted key, and the offset where it begins. */
export interface KeyPart {
  name: string
  at: number
}

/** Steps over spaces, and with `lines` also over line ends and comments. */
export function skipBlank(cursor: Cursor, space: 'line' | 'lines'): void {
  for (;;) {
    const char = cursor.text[cursor.at]
    if (char === ' ' || char === '\t') cursor.at++
    else if (space === 'lines' && (char === '\n' || char === '\r' || char === '\ufeff')) cursor.at++
    else if (space === 'lines' && char === '#') cursor.at = endOfLine(cursor)
    else return
  }
}

export function endOfLine(cursor: Cursor): number {
  const end = cursor.text.indexOf('\n', cursor.at)
  return end === -1 ? cursor.text.length : end
}

/** Steps over the string whose opening quote is here. */
export function skipString(cursor: Cursor): void {
  const { text } = cursor
  const quote = text[cursor.at]!
  const long = quote.repeat(3)
  const closing = text.startsWith(long, cursor.at) ? long : quote
  cursor.at += closing.length
  while (cursor.at < text.length && !text.startsWith(closing, cursor.at)) {
    cursor.at += quote === '"' && text[cursor.at] === '\\' ? 2 : 1
  }
  cursor.at += closing.length
  // Up to two quotes may stand directly before the closing three and belong to the string.
  if (closing === long) while (text[cursor.at] === quote) cursor.at++
}

/** Steps over a number, boolean or date, up to what may follow it. */
export function skipBareValue(cursor: Cursor): void {
  while (cursor.at < cursor.text.length && !',]}#\n'.includes(cursor.text[cursor.at]!)) cursor.at++
}

/** Reads a dotted key up to, not over, the `=` or `]` that ends it. */
export function readKey(cursor: Cursor): KeyPart[] {
  const parts: KeyPart[] = []
  for (;;) {
    skipBlank(cursor, 'line')
    const at = cursor.at
    const char = cursor.text[at]
    if (char === '"' || char === "'") {
      skipString(cursor)
      parts.push({ name: unquote(cursor.text.slice(at, cursor.at)), at })
    } else {
      while (/[A-Za-z0-9_-]/.test(cursor.text[cursor.at] ?? '')) cursor.at++
      parts.push({ name: cursor.text.slice(at, cursor.at), at })
    }
    skipBlank(cursor, 'line')
    if (cursor.text[cursor.at] !== '.') return parts
    cursor.at++
  }
}

function unquote(quoted: string): string {
  return String(parse(`key = ${quoted}`).key)
}
