// An answer with several lists that may need several packets: every part has every list, each with its slice.

import { encode } from './encode.ts'
import { REPLY_MAX } from './limits.ts'

/** Room for `part` and `parts`, and for the lists' lengths. */
const OVERHEAD = 64

export function encodeLists(head: Record<string, unknown>, lists: Record<string, readonly unknown[]>): Uint8Array[] {
  const empty = Object.fromEntries(Object.keys(lists).map((key) => [key, [] as unknown[]]))
  const room = REPLY_MAX - encode({ ...head, ...empty }).length - OVERHEAD
  const parts = [structuredClone(empty)]
  let size = 0
  for (const [key, items] of Object.entries(lists)) {
    for (const item of items) {
      const length = encode({ item }).length
      if (size + length > room) {
        parts.push(structuredClone(empty))
        size = 0
      }
      parts.at(-1)![key]!.push(item)
      size += length
    }
  }
  if (parts.length === 1) return [encode({ ...head, ...parts[0] })]
  return parts.map((part, at) => encode({ ...head, ...part, part: at + 1, parts: parts.length }))
}
