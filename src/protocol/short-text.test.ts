import { expect, it } from 'vitest'
import { readText } from './short-text.ts'

const read = (text: string) => {
  const bytes = Buffer.from(`..${text}..`)
  return readText(bytes, 2, bytes.length - 2)
}

it('tells apart the texts that have to share what is kept, however often each comes', () => {
  const texts = Array.from({ length: 5000 }, (_, i) => `name-${(i * 7919) % 5000}`)
  for (const text of [...texts, ...texts.toReversed()]) expect(read(text)).toBe(text)
})

it('reads texts of every length, in ASCII and not', () => {
  for (let length = 0; length < 100; length++) {
    expect(read('a'.repeat(length))).toBe('a'.repeat(length))
    expect(read(`${'a'.repeat(length)}é`)).toBe(`${'a'.repeat(length)}é`)
  }
})

it('keeps a byte order mark', () => {
  expect(read('\ufeffweb')).toBe('\ufeffweb')
})
