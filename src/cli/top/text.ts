// Text in cells of a terminal: how wide it is, cut and padded to a width. No byte of a peer is obeyed by the terminal.

import { printable } from '../../protocol/printable.ts'

const COMBINING = /^[\p{Mn}\p{Me}]$/u
const WIDE =
  /^[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]$/u

/** What may be shown of a text from outside. */
export const safe: (text: string) => string = printable

function cellsOf(character: string): number {
  if (character < '\u007f') return 1
  if (COMBINING.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += cellsOf(character)
  return width
}

/** The longest beginning of `text` that is at most `width` cells wide. */
export function cut(text: string, width: number): string {
  let used = 0
  let end = 0
  for (const character of text) {
    used += cellsOf(character)
    if (used > width) return text.slice(0, end)
    end += character.length
  }
  return text
}

export interface Fit {
  align?: 'right' | undefined
  /** Which end of a text that is too long is kept: of an address the port says more than the host. */
  keep?: 'end' | undefined
  ellipsis: string
}

/** `text` in exactly `width` cells. */
export function toCells(text: string, width: number, { align, keep, ellipsis }: Fit): string {
  const shown = widthOf(text) <= width ? text : shorten(text, width, keep, ellipsis)
  const blanks = ' '.repeat(Math.max(0, width - widthOf(shown)))
  return align === 'right' ? blanks + shown : shown + blanks
}

function shorten(text: string, width: number, keep: 'end' | undefined, ellipsis: string): string {
  const room = width - widthOf(ellipsis)
  if (room <= 0) return cut(ellipsis, width)
  if (keep !== 'end') return cut(text, room) + ellipsis
  return ellipsis + [...cut([...text].reverse().join(''), room)].reverse().join('')
}
