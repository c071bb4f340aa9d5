// The keys of the maps that a walk is in, by where they stand: a key twice is found without making one string.

/** So many keys of a map are compared one by one. A map that has more pays for a Set. */
const FEW = 16
const PROTO = Buffer.from('__proto__')

export class Keys {
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  #base = 0
  #top = 0
  #many: Set<string> | undefined = undefined

  clear(): void {
    this.#base = 0
    this.#top = 0
    this.#many = undefined
  }

  /** Begins a map; returns what `close` wants when it ends. */
  open(): Outer | number {
    const base = this.#base
    const many = this.#many
    this.#base = this.#top
    this.#many = undefined
    return many === undefined ? base : { base, many }
  }

  close(outer: Outer | number): void {
    this.#top = this.#base
    this.#base = typeof outer === 'number' ? outer : outer.base
    this.#many = typeof outer === 'number' ? undefined : outer.many
  }

  /** False when the map has the key already. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    // msgpackr never sets the property that would set the object's prototype: it sets `__proto_`.
    const last = spells(bytes, start, end, PROTO) ? end - 1 : end
    if (this.#many !== undefined) return addTo(this.#many, bytes, start, last)
    for (let i = this.#base; i < this.#top; i++) {
      if (same(bytes, this.#starts[i]!, this.#ends[i]!, start, last)) return false
    }
    this.#starts[this.#top] = start
    this.#ends[this.#top] = last
    this.#top++
    if (this.#top - this.#base === FEW) this.#many = this.#all(bytes)
    return true
  }

  #all(bytes: Uint8Array): Set<string> {
    const all = new Set<string>()
    for (let i = this.#base; i < this.#top; i++) addTo(all, bytes, this.#starts[i]!, this.#ends[i]!)
    return all
  }
}

interface Outer {
  base: number
  many: Set<string>
}

function addTo(keys: Set<string>, bytes: Uint8Array, start: number, end: number): boolean {
  const before = keys.size
  return keys.add(textAt(bytes, start, end)).size > before
}

function same(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false
  for (let i = a, j = b; i < aEnd; i++, j++) if (bytes[i] !== bytes[j]) return false
  return true
}

export function spells(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word[i]) return false
  return true
}

export function textAt(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
}
