import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatHead, formatSample } from './exposition.ts'

it('escapes the backslash and the line feed of a help text, and leaves its quotes', () => {
  expect(formatHead('a', 'gauge', 'x\\y\n"z"')).toBe('# HELP a x\\\\y\\n"z"\n# TYPE a gauge\n')
})

it.each([
  [{ value: 1 }, 'm 1\n'],
  [{ value: 0, labels: {} }, 'm 0\n'],
  [{ value: 0.25, labels: { name: 'web', code: 'BUSY' } }, 'm{name="web",code="BUSY"} 0.25\n'],
  [{ value: 3, labels: { le: '+Inf' }, suffix: '_bucket' }, 'm_bucket{le="+Inf"} 3\n'],
  [{ value: 1, labels: { path: 'a\\b"c\nd' } }, 'm{path="a\\\\b\\"c\\nd"} 1\n'],
  [{ value: Number.NaN }, 'm NaN\n'],
  [{ value: Number.POSITIVE_INFINITY }, 'm +Inf\n'],
  [{ value: Number.NEGATIVE_INFINITY }, 'm -Inf\n'],
])('writes %j as %j', (sample, text) => {
  expect(formatSample('m', sample)).toBe(text)
})

it('writes any label on one line, from which it can be read back', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', '{', ',', 'é', '\r') }), (label) => {
      const text = formatSample('m', { value: 1, labels: { label } })
      expect(text.split('\n')).toHaveLength(2)
      const written = text.slice('m{label="'.length, -'"} 1\n'.length)
      expect(written.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))).toBe(label)
    }),
  )
})
