import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Column, formatDuration, formatTable, wantsColour } from './table.ts'

interface Row {
  name: string
  count: number
}
const COLUMNS: readonly Column<Row>[] = [
  { heading: 'NAME', cell: ({ name }) => name },
  { heading: 'N', align: 'right', cell: ({ count }) => String(count) },
]

it('makes a column as wide as its widest cell, figures to the right, and leaves no blank at a line’s end', () => {
  const rows = [
    { name: 'web', count: 7 },
    { name: 'internal', count: 1200 },
  ]
  expect(formatTable(COLUMNS, rows, false)).toBe('NAME         N\nweb          7\ninternal  1200\n')
  expect(formatTable([COLUMNS[1]!, COLUMNS[0]!], rows, false)).toBe('   N  NAME\n   7  web\n1200  internal\n')
})

it('is its headings when there are no rows', () => {
  expect(formatTable(COLUMNS, [], false)).toBe('NAME  N\n')
})

it('has bold headings and plain rows when asked for', () => {
  expect(formatTable(COLUMNS, [{ name: 'web', count: 7 }], true)).toBe('\u001b[1mNAME  N\u001b[0m\nweb   7\n')
})

it('measures a cell as it is printed: an escaped control character counts with its escape', () => {
  const rows = [{ name: 'a\u001b[2J\n', count: 1 }]
  expect(formatTable(COLUMNS, rows, false)).toBe('NAME          N\na\\x1b[2J\\x0a  1\n')
})

it('is as many lines as rows and one more, whatever is in the cells', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ name: fc.string({ unit: 'binary' }), count: fc.nat() })), (rows) => {
      expect(formatTable(COLUMNS, rows, false).split('\n')).toHaveLength(rows.length + 2)
    }),
  )
})

it.each<[string, { isTTY?: boolean }, NodeJS.ProcessEnv, boolean]>([
  ['a terminal', { isTTY: true }, {}, true],
  ['a terminal with an empty NO_COLOR', { isTTY: true }, { NO_COLOR: '' }, true],
  ['a terminal with NO_COLOR=0', { isTTY: true }, { NO_COLOR: '0' }, false],
  ['a dumb terminal', { isTTY: true }, { TERM: 'dumb' }, false],
  ['a pipe', {}, { TERM: 'xterm' }, false],
])('colour on %s', (_, tty, variables, wanted) => {
  expect(wantsColour({ write: () => {}, ...tty }, variables)).toBe(wanted)
})

it.each([
  [0, '0s'],
  [-5, '0s'],
  [999, '0s'],
  [1000, '1s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [725_000, '12m5s'],
  [3_599_999, '59m59s'],
  [3_600_000, '1h'],
  [3_659_000, '1h'],
  [3_660_000, '1h1m'],
  [86_399_999, '23h59m'],
  [273_600_000, '3d4h'],
  [400 * 86_400_000, '400d'],
])('%i ms is %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})
