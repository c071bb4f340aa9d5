import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { levenshtein } from './levenshtein.ts'
import { didYouMean, suggest } from './suggest.ts'

describe('levenshtein', () => {
  it('counts insertions, deletions and substitutions', () => {
    expect(levenshtein('kitten', 'sitting')).toBe(3)
    expect(levenshtein('', 'abc')).toBe(3)
    expect(levenshtein('abc', 'abc')).toBe(0)
  })

  it('is symmetric, zero only for equals, and at most the longer length', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = levenshtein(a, b)
        expect(distance).toBe(levenshtein(b, a))
        expect(distance === 0).toBe(a === b)
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })
})

describe('suggest', () => {
  const known = ['backlog', 'keep_alive', 'mode']

  it('finds the word with one or two letters wrong', () => {
    expect(suggest('backlg', known)).toBe('backlog')
    expect(suggest('keepalive', known)).toBe('keep_alive')
    expect(suggest('KEEP-ALIVE', known)).toBe('keep_alive')
  })

  it('says nothing rather than something far off', () => {
    expect(suggest('colour', known)).toBeUndefined()
    expect(suggest('x'.repeat(100_000), known)).toBeUndefined()
  })

  it('gives the other remedy when no word is near', () => {
    expect(didYouMean('colour', known, 'remove it')).toBe('; remove it')
  })
})
