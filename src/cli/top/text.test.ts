import { describe, expect, it } from 'vitest'
import { cut, safe, toCells, widthOf } from './text.ts'

it('no control byte and no invisible character of a peer reaches the terminal', () => {
  expect(safe('a\u001b[2J\u009b1m\nb\u202egnp.exe\u200b')).toBe('a\\x1b[2J\\x9b1m\\x0ab\\u{202e}gnp.exe\\u{200b}')
})

it.each<[string, number]>([
  ['web', 3],
  ['', 0],
  ['größe', 5],
  ['e\u0301', 1],
  ['漢字', 4],
  ['🚀', 2],
])('%j is %d cells wide', (text, width) => {
  expect(widthOf(text)).toBe(width)
})

describe('a text in cells', () => {
  const cells = (text: string, width: number, how = {}) => toCells(text, width, { ellipsis: '…', ...how })

  it.each<[string, string]>([
    [cells('web', 5), 'web  '],
    [cells('12', 5, { align: 'right' }), '   12'],
    [cells('long-name', 5), 'long…'],
    [cells('127.0.0.1:8080', 6, { keep: 'end' }), '…:8080'],
    [cells('漢字漢字', 4), '漢… '],
    [cells('anything', 0), ''],
    [cells('anything', 1), '…'],
  ])('is %j', (text, expected) => expect(text).toBe(expected))

  it('is never wider than it may be', () => {
    for (const text of ['漢字漢字', 'e\u0301e\u0301e\u0301', 'plain', '🚀🚀']) {
      for (let width = 0; width < 9; width++) {
        expect(widthOf(cells(text, width))).toBe(width)
        expect(widthOf(cut(text, width))).toBeLessThanOrEqual(width)
      }
    }
  })
})
