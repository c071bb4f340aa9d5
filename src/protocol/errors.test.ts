import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BrokerError, ERRORS, type ErrorCode, isErrorCode } from './errors.ts'

const document = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')

/** The cells of each row of the document's table, below its head and its rule. */
const rows = document
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.slice(2, -2).split(' | '))

describe('docs/errors.md', () => {
  it('has every code of the table, in its order, and no other', () => {
    expect(rows.map(([code]) => code)).toEqual(Object.keys(ERRORS).map((code) => `\`${code}\``))
  })

  it.each(Object.entries(ERRORS))(
    'says of %s what the table says',
    (code, { meaning, blame, exit, closes, advice }) => {
      const row = rows.find(([cell]) => cell === `\`${code}\``)
      expect(row).toEqual([`\`${code}\``, meaning, blame, String(exit), closes ? 'yes' : 'no', advice])
    },
  )
})

describe('the table', () => {
  it.each<[ErrorCode, number, boolean]>([
    ['PROTOCOL', 111, true],
    ['VERSION', 111, true],
    ['UNSUPPORTED', 1, false],
    ['INVALID', 100, false],
    ['DENIED', 1, false],
    ['NOT_FOUND', 1, false],
    ['BUSY', 1, false],
    ['PAUSED', 1, false],
    ['LIMIT', 1, false],
    ['TIMEOUT', 1, false],
    ['ENDED', 1, false],
    ['CLOSED', 111, true],
    ['SYSTEM', 111, false],
  ])('gives %s the exit status %i', (code, exit, closes) => {
    expect(ERRORS[code]).toMatchObject({ exit, closes })
  })

  it('is closed: a name that an object inherits is no code', () => {
    expect(isErrorCode('BUSY')).toBe(true)
    for (const other of ['toString', 'constructor', 'busy', '', 1, null, undefined])
      expect(isErrorCode(other)).toBe(false)
  })
})

describe('BrokerError', () => {
  it('carries its code, its message, its details and its cause', () => {
    const cause = new Error('cause')
    const error = new BrokerError('VERSION', 'no', { cause, details: { supported: [1] } })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'BrokerError',
      code: 'VERSION',
      message: 'no',
      cause,
      details: { supported: [1] },
    })
  })

  it('has empty details when the answer had none', () => {
    expect(new BrokerError('BUSY', 'no').details).toEqual({})
  })
})
