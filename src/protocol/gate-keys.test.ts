import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Keys, spells, textAt } from './gate-keys.ts'

/** Adds the words to one map, each at a place of its own. */
function added(keys: Keys, words: readonly string[]): boolean[] {
  const bytes = Buffer.from(words.join(''))
  let at = 0
  return words.map((word) => {
    const start = at
    at += Buffer.byteLength(word)
    return keys.add(bytes, start, at)
  })
}

it('finds every key twice and no other, as a Set does', () => {
  const word = fc.string({ unit: 'grapheme', maxLength: 3 })
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), (words) => {
      const keys = new Keys()
      keys.open()
      expect(added(keys, words)).toEqual(words.map((text, at) => words.indexOf(text) === at))
    }),
  )
})

it.each([1, 15, 16, 17, 40])('a map of %i keys is closed without a trace in the one around it', (count) => {
  const keys = new Keys()
  const many = Array.from({ length: count }, (_, i) => `k${i};`)
  keys.open()
  const bytes = Buffer.from(many.join(''))
  const places = many.map((_, i) => many.slice(0, i).join('').length)
  const add = (i: number) => keys.add(bytes, places[i]!, places[i]! + many[i]!.length)
  const all = () => many.map((_, i) => add(i))
  expect(all()).toEqual(many.map(() => true))
  const outer = keys.open()
  expect(all()).toEqual(many.map(() => true))
  expect(all()).toEqual(many.map(() => false))
  keys.close(outer)
  expect(all()).toEqual(many.map(() => false))
  keys.clear()
  expect(all()).toEqual(many.map(() => true))
})

it('takes __proto__ for __proto_, and only that word', () => {
  for (const [words, news] of [
    [
      ['__proto__', '__proto_'],
      [true, false],
    ],
    [
      ['__proto_', '__proto__'],
      [true, false],
    ],
    [
      ['__proto__', '__proto'],
      [true, true],
    ],
    [
      ['x__proto__', 'x__proto_'],
      [true, true],
    ],
  ] as const) {
    const keys = new Keys()
    keys.open()
    expect(added(keys, words)).toEqual(news)
  }
})

it('compares a word with a part of the packet, from end to end', () => {
  const bytes = Buffer.from('xidy')
  const spelt = (start: number, end: number) => spells(bytes, start, end, Buffer.from('id'))
  expect([spelt(1, 3), spelt(0, 2), spelt(1, 4), spelt(1, 2)]).toEqual([true, false, false, false])
})

it('reads text in a view that begins inside its buffer', () => {
  expect(textAt(Buffer.from('..aé.').subarray(2), 1, 3)).toBe('é')
})
