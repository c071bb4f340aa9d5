// A value in the protocol's types. Left to itself msgpackr writes an integer over 32 bits as a float and `undefined` as an extension
// type, and a command line that some process chose could bring a NUL or half of a surrogate pair into a string.

const UNWRITABLE = /[\0\p{Surrogate}]/gu

type WriteNumber = (value: number) => number | bigint

/** As the protocol says: an integer of 64 bits. */
const asInteger: WriteNumber = (value) =>
  (value > 0xffff_ffff || value < -0x8000_0000) && Number.isSafeInteger(value) ? BigInt(value) : value

/** As msgpackr does: a float, which is the same number to a reader in JavaScript, and no copy of the map that it is in. */
export const asFloat: WriteNumber = (value) => value

/** The same value; another one only where something in it has to change. `write`: how an integer over 32 bits is written. */
export function plain(value: unknown, write: WriteNumber = asInteger): unknown {
  switch (typeof value) {
    case 'string':
      return isWritable(value) ? value : value.replaceAll(UNWRITABLE, '\ufffd')
    case 'number':
      return write(value)
    case 'object':
      if (value === null) return null
      return Array.isArray(value) ? plainArray(value, write) : plainMap(value as Record<string, unknown>, write)
    case 'boolean':
    case 'bigint':
      return value
    default:
      throw new TypeError(`a ${typeof value} has no place in a message`)
  }
}

/** Almost all text is of characters below the surrogates. */
function isWritable(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0 || code >= 0xd800) return text.search(UNWRITABLE) < 0
  }
  return true
}

function plainArray(items: readonly unknown[], write: WriteNumber): readonly unknown[] {
  let copy: unknown[] | undefined
  for (let i = 0; i < items.length; i++) {
    const item = plain(items[i], write)
    if (item === items[i]) continue
    copy ??= [...items]
    copy[i] = item
  }
  return copy ?? items
}

/** Keys without a value are left out. */
function plainMap(items: Record<string, unknown>, write: WriteNumber): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined
  for (const key in items) {
    const before = items[key]
    const after = before === undefined ? undefined : plain(before, write)
    if (after === before && after !== undefined && isWritable(key)) {
      if (copy !== undefined) copy[key] = after
      continue
    }
    copy ??= keysBefore(key, items)
    if (after !== undefined) copy[plain(key) as string] = after
  }
  return copy ?? items
}

function keysBefore(end: string, items: Record<string, unknown>): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const key in items) {
    if (key === end) break
    copy[key] = items[key]
  }
  return copy
}
