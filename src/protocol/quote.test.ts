import { expect, it } from 'vitest'
import { quote } from './quote.ts'

it('puts plain words in double quotes', () => {
  expect(quote('wieght')).toBe('"wieght"')
  expect(quote('größe 😀')).toBe('"größe 😀"')
})

it('escapes what terminals and logs act upon', () => {
  expect(quote('a"b\n\u001b[31m')).toBe('"a\\"b\\n\\u001b[31m"')
  expect(quote('\u0085\u009b\u2028\u202e\u007f')).toBe('"\\u{85}\\u{9b}\\u{2028}\\u{202e}\\u{7f}"')
})

it('cuts after 64 characters, also in the middle of a surrogate pair', () => {
  expect(quote('x'.repeat(64))).toBe(`"${'x'.repeat(64)}"`)
  expect(quote('x'.repeat(65))).toBe(`"${'x'.repeat(64)}…"`)
  expect(quote(`${'x'.repeat(63)}😀`)).toBe(`"${'x'.repeat(63)}\\ud83d…"`)
})
