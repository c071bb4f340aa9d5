import { InvalidArgumentError } from 'commander'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { MILLISECONDS_MAX } from '../protocol/limits.ts'
import { parseSeconds } from './parse.ts'

it.each([
  ['0', 0],
  ['30', 30_000],
  ['0.5', 500],
  ['007', 7000],
  ['0.0004', 0],
  ['0.0005', 1],
  ['1.2345', 1235],
])('%s s', (text, ms) => {
  expect(parseSeconds(text)).toBe(ms)
})

it.each([
  '',
  ' ',
  '1 ',
  ' 1',
  '-1',
  '+1',
  '1.',
  '.5',
  '1e3',
  '0x10',
  '1,5',
  '1_000',
  'Infinity',
  'NaN',
  '10s',
  '1\n',
  '٣',
])('refuses %j', (text) => {
  expect(() => parseSeconds(text)).toThrow(InvalidArgumentError)
  expect(() => parseSeconds(text)).toThrow(/^give seconds, such as 30 or 0\.5, at most \d+\.$/)
})

it('takes the most that the protocol carries, and no millisecond more', () => {
  const seconds = (ms: number) => `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}`
  expect(parseSeconds(seconds(MILLISECONDS_MAX))).toBe(MILLISECONDS_MAX)
  expect(() => parseSeconds(seconds(MILLISECONDS_MAX + 1))).toThrow(InvalidArgumentError)
  expect(() => parseSeconds('9'.repeat(400))).toThrow(InvalidArgumentError)
})

it('reads back every number of milliseconds', () => {
  fc.assert(
    fc.property(fc.nat(MILLISECONDS_MAX), (ms) => {
      expect(parseSeconds((ms / 1000).toFixed(3))).toBe(ms)
    }),
  )
})
