// Aligned tables for people. Headings are bold on a terminal that wants colour (https://no-color.org).

import { printable } from '../protocol/printable.ts'
import type { Output } from './env.ts'
import { toCells, widthOf } from './top/text.ts'

export interface Column<Row> {
  heading: string
  align?: 'right'
  cell(row: Row): string
}

export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], bold: boolean): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))))
  const widths = columns.map((column, at) =>
    Math.max(...[column.heading, ...cells.map((row) => row[at]!)].map(widthOf)),
  )
  const line = (texts: readonly string[]) =>
    texts
      .map((text, at) => toCells(text, widths[at]!, { align: columns[at]!.align, ellipsis: '' }))
      .join('  ')
      .trimEnd()
  const head = line(columns.map((column) => column.heading))
  return [bold ? `\u001b[1m${head}\u001b[0m` : head, ...cells.map(line)].join('\n').concat('\n')
}

export function wantsColour(output: Output, variables: NodeJS.ProcessEnv): boolean {
  return output.isTTY === true && (variables['NO_COLOR'] ?? '') === '' && variables['TERM'] !== 'dumb'
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** Milliseconds as the two largest units: `3d4h`, `12m5s`, `0s`. */
export function formatDuration(ms: number): string {
  const first = UNITS.findIndex(([, size]) => ms >= size)
  if (first === -1) return '0s'
  const [unit, size] = UNITS[first]!
  const next = UNITS[first + 1]
  const rest = next === undefined ? 0 : Math.floor((ms % size) / next[1])
  return `${Math.floor(ms / size)}${unit}${rest > 0 ? `${rest}${next![0]}` : ''}`
}
