import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatSize, parseSize } from './size.ts'

describe('sizes', () => {
  it.each([
    ['4096', 4096],
    ['256K', 262_144],
    ['1M', 1_048_576],
    ['1G', 1_073_741_824],
    ['0', 0],
  ])('reads %s as %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes))

  it.each(['', 'K', '1k', '1KB', '1KiB', '1.5M', '-1', '1 M', '1T', '0x10'])('refuses %j', (text) =>
    expect(parseSize(text)).toBeUndefined(),
  )

  it('reads back what it writes', () => {
    fc.assert(fc.property(fc.nat(), (bytes) => void expect(parseSize(formatSize(bytes))).toBe(bytes)))
  })
})
