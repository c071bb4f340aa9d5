import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDuration, parseDuration } from './duration.ts'

describe('durations', () => {
  it.each([
    ['300ms', 300],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['0s', 0],
  ])('reads %s as %d milliseconds', (text, ms) => expect(parseDuration(text)).toBe(ms))

  it.each([
    '',
    '30',
    's',
    '-1s',
    '1.5s',
    '30 s',
    '30S',
    '1m30s',
    '1d',
    ' 1s',
    '1s\n',
    '１s',
    '1e3ms',
    `${'9'.repeat(13)}s`,
  ])('refuses %j', (text) => expect(parseDuration(text)).toBeUndefined())

  it('reads back what it writes', () => {
    fc.assert(fc.property(fc.nat(), (ms) => void expect(parseDuration(formatDuration(ms))).toBe(ms)))
  })

  it('never takes a text that is not digits and a unit', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 8 }),
        (text) => void expect(parseDuration(text) !== undefined).toBe(/^[0-9]+(ms|[smh])$/.test(text)),
      ),
    )
  })
})
