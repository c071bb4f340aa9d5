import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { hashToken, newToken, tokensOf } from './tokens.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest()

describe('a new token', () => {
  it('has a secret of 256 random bits, and its SHA-256 as the config has it', () => {
    const { secret, hash } = newToken()
    expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(hash).toBe(`sha256:${sha256(secret).toString('hex')}`)
    expect(newToken().secret).not.toBe(secret)
  })
})

describe('the tokens of a secret', () => {
  const known = new Map([
    ['deploy', sha256('one')],
    ['alias', sha256('one')],
    ['other', sha256('two')],
  ])

  it('are all that have its hash', () => {
    expect(tokensOf(hashToken('one'), known)).toEqual(['deploy', 'alias'])
    expect(tokensOf(hashToken('two'), known)).toEqual(['other'])
  })

  it.each(['', 'on', 'one ', 'One', 'oné', sha256('one').toString('hex')])('are none for %j', (secret) => {
    expect(tokensOf(hashToken(secret), known)).toEqual([])
  })
})
