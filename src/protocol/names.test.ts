import { describe, expect, it } from 'vitest'
import { generationFault, nameFault } from './names.ts'

describe('a name', () => {
  it.each([
    'a',
    'Z',
    '0a',
    'web',
    'web-1',
    'a.b',
    'a_b',
    'unit@web',
    'team/web/8080',
    'a..b',
    'a/b.',
    'x/...',
    '1/2',
    '8080-tcp',
    '-'.padStart(128, 'a'),
  ])('may be %s', (name) => expect(nameFault(name)).toBeUndefined())

  it.each([
    ['', 'is empty'],
    ['a'.repeat(129), 'is longer than 128 characters'],
    ['8080', 'must not be all digits (that is a lease)'],
    ['0', 'must not be all digits (that is a lease)'],
  ])('must not be %j: it %s', (name, fault) => expect(nameFault(name)).toBe(fault))

  it.each([
    '.',
    '..',
    './a',
    '../a',
    '-a',
    '_a',
    '@a',
    '/a',
    ' a',
    'a b',
    'a:b',
    'a\n',
    'a\\b',
    'a%b',
    'ä',
    'a\u0000',
    'a\u0661',
    'é',
  ])('must not be %j: a character is not allowed there', (name) =>
    expect(nameFault(name)).toMatch(/^must begin with a letter or digit and hold only/),
  )

  it.each(['a/', 'a//b', 'a/.', 'a/..', 'a/./b', 'a/../b'])(
    'must not be %j: a part between slashes is empty, "." or ".."',
    (name) => expect(nameFault(name)).toMatch(/part between slashes/),
  )
})

describe('a generation label', () => {
  it('has a name’s grammar and at most 64 characters', () => {
    expect(generationFault('v1.2.3-rc.1')).toBeUndefined()
    expect(generationFault('a'.repeat(64))).toBeUndefined()
    expect(generationFault('a'.repeat(65))).toBe('is longer than 64 characters')
    expect(generationFault('42')).toMatch(/all digits/)
    expect(generationFault('a:b')).toMatch(/must begin with/)
  })
})
