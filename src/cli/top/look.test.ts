import { describe, expect, it } from 'vitest'
import { bar, type Look, paint, span, spark, speaksUtf8 } from './look.ts'

const PLAIN: Look = { colour: false, unicode: true }
const ASCII: Look = { colour: false, unicode: false }
const drawn = (ratio: number, width: number, look = PLAIN) => paint(bar(ratio, width, look), width, look)

describe('a bar', () => {
  it.each<[number, string]>([
    [0, '░░░░'],
    [0.001, '▏░░░'],
    [0.5, '██░░'],
    [0.55, '██▎░'],
    [1, '████'],
    [1.06, '████'],
  ])('of %d is %s', (ratio, text) => expect(drawn(ratio, 4)).toBe(text))

  it('is drawn in ASCII where the locale is not UTF-8', () => {
    expect(drawn(0.5, 4, ASCII)).toBe('##..')
    expect(drawn(0.001, 4, ASCII)).toBe('#...')
  })

  it('is green, from half on yellow, near the limit red', () => {
    const colour = (ratio: number) => bar(ratio, 4, PLAIN)[0]!.style
    expect([0.1, 0.5, 0.9, 2].map(colour)).toEqual(['green', 'yellow', 'red', 'red'])
  })
})

describe('a sparkline', () => {
  it('shows the last figures on a scale of their own, and anything above zero', () => {
    expect(spark([0, 1, 50, 100], 4, PLAIN)).toBe('▁▂▅█')
    expect(spark([9, 9, 0, 0], 2, PLAIN)).toBe('▁▁')
    expect(spark([1], 4, PLAIN)).toBe('   █')
    expect(spark([], 3, ASCII)).toBe('   ')
  })
})

describe('a painted line', () => {
  it('has exactly the width of the window', () => {
    expect(paint([span('abc', 'red'), span('def')], 4, PLAIN)).toBe('abcd')
    expect(paint([span('ab')], 4, PLAIN)).toBe('ab  ')
    expect(paint([span('漢字')], 3, PLAIN)).toBe('漢 ')
    expect(paint([span('ab')], 0, PLAIN)).toBe('')
  })

  it('closes every style that it opens, and has none without colour', () => {
    const text = paint([span('ab', 'red'), span('cd')], 3, { colour: true, unicode: true })
    expect(text).toBe('\u001b[31mab\u001b[0mc')
    expect(paint([span('ab', 'red')], 3, PLAIN)).toBe('ab ')
  })
})

it.each<[boolean, NodeJS.ProcessEnv]>([
  [true, { LANG: 'de_DE.UTF-8' }],
  [true, { LC_ALL: 'C.utf8', LANG: 'C' }],
  [false, { LC_ALL: 'C', LANG: 'de_DE.UTF-8' }],
  [false, {}],
])('UTF-8 is %s in %j', (expected, variables) => expect(speaksUtf8(variables)).toBe(expected))
