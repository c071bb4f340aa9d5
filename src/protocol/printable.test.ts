import fc from 'fast-check'
import { expect, it } from 'vitest'
import { escapeJson, printable, printableJson } from './printable.ts'

it.each([
  ['grüße 😀', 'grüße 😀'],
  ['\n\t\0', '\\x0a\\x09\\x00'],
  ['\u001b[31m', '\\x1b[31m'],
  ['\u007f\u009b', '\\x7f\\x9b'],
  ['\u202e\u2028\u2029', '\\u{202e}\\u{2028}\\u{2029}'],
  ['\u{e0041}', '\\u{e0041}'],
])('%j is printed as %s', (text, printed) => {
  expect(printable(text)).toBe(printed)
})

it('has JSON on one line or indented, with escapes that JSON knows', () => {
  expect(printableJson({ a: '\u007f\u{e0041}' })).toBe('{\n  "a": "\\u007f\\udb40\\udc41"\n}')
  expect(printableJson({ a: ['\u2028'] }, 0)).toBe('{"a":["\\u2028"]}')
})

it('changes no value of JSON, and leaves nothing in it that a terminal obeys', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }), (value) => {
      const json = JSON.stringify(value)
      const escaped = escapeJson(json)
      expect(JSON.parse(escaped)).toEqual(JSON.parse(json))
      expect(escaped).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    }),
    { numRuns: 40 },
  )
})
