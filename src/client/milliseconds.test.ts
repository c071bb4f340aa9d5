import { expect, it } from 'vitest'
import { requireMilliseconds } from './milliseconds.ts'

it.each([undefined, 0, 0.5, 2 ** 40, Number.POSITIVE_INFINITY])('%s is a time', (value) => {
  expect(() => requireMilliseconds('serve: drainTimeout', value)).not.toThrow()
})

it.each([
  [-1, '-1'],
  [Number.NaN, 'NaN'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
  ['2000', 'of type string'],
  [null, 'of type object'],
  [5n, 'of type bigint'],
])('%s is none', (value, said) => {
  const message = `serve: drainTimeout must be milliseconds from 0 on, or Infinity for no limit, not ${said}`
  expect(() => requireMilliseconds('serve: drainTimeout', value)).toThrow(
    expect.objectContaining({ code: 'INVALID', message }),
  )
})
