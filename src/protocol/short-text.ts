// Text of a packet. The same few words come again and again (keys, verbs, names), so short ones are kept: to compare bytes with
// a string that exists costs less than to make one.

import { isUtf8 } from 'node:buffer'

/** The longest that is kept, in bytes. */
const SHORT = 24
/** A power of two. What strangers send displaces what is kept, and never makes it grow. */
const KEPT = 512

const kept: string[] = new Array(KEPT).fill('')

/** The text of `bytes` from `start` to `end`; `fault` when it is none. */
export function readText(bytes: Uint8Array, start: number, end: number): string | { fault: string } {
  let hash = end - start
  let ascii = true
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte === 0) return { fault: 'a string holds a NUL' }
    if (byte >= 0x80) ascii = false
    hash = (Math.imul(hash, 31) + byte) | 0
  }
  if (!ascii && !isUtf8(bytes.subarray(start, end))) return { fault: 'a string is not valid UTF-8' }
  if (!ascii || end - start > SHORT) return slice(bytes, start, end, ascii)
  const slot = hash & (KEPT - 1)
  const known = kept[slot]!
  if (spells(known, bytes, start, end)) return known
  const text = slice(bytes, start, end, true)
  kept[slot] = text
  return text
}

function spells(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}

function slice(bytes: Uint8Array, start: number, end: number, ascii: boolean): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString(ascii ? 'latin1' : 'utf8')
}
