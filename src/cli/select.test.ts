import { InvalidArgumentError } from 'commander'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isGlob, isUser, matches, oneOfOption, selectNames, sortRows } from './select.ts'

it.each([
  ['web', 'web', true],
  ['web', 'webs', false],
  ['web', 'aweb', false],
  ['web*', 'web', true],
  ['*', '', true],
  ['w?b', 'web', true],
  ['w?b', 'wb', false],
  ['a.b', 'axb', false],
  ['a.b', 'a.b', true],
  ['*-api', 'eu-api', true],
  ['[a]', 'a', false],
  ['(a|b)', 'a', false],
  ['a+', 'aa', false],
  ['a\\*', 'a\\x', true],
  ['^a$', 'a', false],
  ['{a}', '{a}', true],
])('%s fits %j: %s', (glob, name, fits) => {
  expect(matches(glob, name)).toBe(fits)
})

it('fits every plain text to itself, whatever it is made of', () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !isGlob(text)),
      (text) => {
        expect(matches(text, text)).toBe(true)
      },
    ),
  )
})

const ROWS = ['web', 'api', 'web-2', 'api'].map((name, at) => ({ name, at }))
const places = (globs: string[], names?: string[]) => selectNames(ROWS, globs, names).map(({ at }) => at)

it('keeps the rows of any glob, once each, in the order that they had', () => {
  expect(places([])).toEqual([0, 1, 2, 3])
  expect(places(['web*', 'api', 'w?b'])).toEqual([0, 1, 2, 3])
  expect(places(['api'])).toEqual([1, 3])
  expect(places(['web'])).toEqual([0])
  expect(places(['x*'])).toEqual([])
})

it('knows a name without a row when it is told the names', () => {
  expect(places(['idle'], ['web', 'idle'])).toEqual([])
})

it('refuses a plain name that there is not, and says which one is near', () => {
  expect(() => places(['web', 'webs-2'])).toThrow(
    expect.objectContaining({ code: 'NOT_FOUND', message: expect.stringMatching(/there is no name "webs-2".*web-2/) }),
  )
  expect(() => places(['zzzzzzzz'])).toThrow(/`fd-broker list` shows those there are/)
})

it('knows a user by name or by uid, and by nothing like it', () => {
  const account = { user: 'www', uid: 33 }
  expect(['www', '33', '033', 'WWW', 'ww', ''].map((wanted) => isUser(account, wanted))).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ])
})

it('takes one of its words and refuses others, with the word that was meant', () => {
  const { parseArg, description } = oneOfOption('--state STATE', 'only these', ['active', 'paused'])
  expect(description).toBe('only these: active, paused')
  expect(parseArg!('paused', undefined)).toBe('paused')
  expect(() => parseArg!('pausd', undefined)).toThrow(InvalidArgumentError)
  expect(() => parseArg!('pausd', undefined)).toThrow(/^"pausd" is none.*paused/)
  expect(() => parseArg!('toString', undefined)).toThrow(/use active, paused/)
})

const KEYS = { name: (row: { name: string; n: number }) => row.name, n: (row: { n: number }) => row.n }
const FIGURES = [
  { name: 'b', n: 9 },
  { name: 'a', n: 10 },
  { name: 'c', n: 9 },
]
it.each([
  [{}, 'bac'],
  [{ reverse: true }, 'cab'],
  [{ sort: 'name' }, 'abc'],
  [{ sort: 'name', reverse: true }, 'cba'],
  [{ sort: 'n' }, 'abc'],
  [{ sort: 'n', reverse: true }, 'cba'],
])('sorted by %j: %s', (options, order) => {
  const before = structuredClone(FIGURES)
  expect(
    sortRows(FIGURES, KEYS, options)
      .map(({ name }) => name)
      .join(''),
  ).toBe(order)
  expect(FIGURES).toEqual(before)
})

it('leaves equal rows in their order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3)), (figures) => {
      const sorted = sortRows(
        figures.map((n, at) => ({ n, at })),
        { n: ({ n }) => n },
        { sort: 'n' },
      )
      for (let i = 1; i < sorted.length; i++) {
        const [a, b] = [sorted[i - 1]!, sorted[i]!]
        expect(a.n > b.n || (a.n === b.n && a.at < b.at)).toBe(true)
      }
    }),
  )
})
