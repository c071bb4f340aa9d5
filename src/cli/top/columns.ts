// Tables that fit a window: every column has its natural width while there is room; then those that may shrink do, and at last
// those that may go are left out.

import { glyphs, type Line, type Look, type Span, type Style, span } from './look.ts'
import { safe, toCells, widthOf } from './text.ts'

export interface TopColumn<Row> {
  heading: string
  align?: 'right'
  /** Which end is kept when it is cut. */
  keep?: 'end'
  /** It may be cut down to so many cells. */
  least?: number
  /** Left out when there is no room: the highest first. */
  expendable?: number
  /** A text, or something drawn: then `cells` wide whatever happens. */
  cell(row: Row): string
  style?(row: Row): Style | undefined
  drawn?: { cells: number; draw(row: Row): Line }
}

const GAP = 1

export function tableLines<Row>(
  all: readonly TopColumn<Row>[],
  rows: readonly Row[],
  columns: number,
  look: Look,
): { heading: Line; lines: Line[] } {
  const { shown, widths } = layOut(all, rows, columns)
  const { ellipsis } = glyphs(look)
  const gap = span(' '.repeat(GAP))
  const text = (column: TopColumn<Row>, at: number, value: string) =>
    toCells(value, widths[at]!, { align: column.align, keep: column.keep, ellipsis })
  const line = (cells: readonly Line[]) => cells.flatMap((cell) => [...cell, gap])
  const cell = (column: TopColumn<Row>, at: number, row: Row): readonly Span[] =>
    column.drawn?.draw(row) ?? [span(text(column, at, safe(column.cell(row))), column.style?.(row))]
  return {
    heading: line(shown.map((column, at) => [span(text(column, at, column.heading), 'bold')])),
    lines: rows.map((row) => line(shown.map((column, at) => cell(column, at, row)))),
  }
}

function layOut<Row>(all: readonly TopColumn<Row>[], rows: readonly Row[], columns: number) {
  let shown = [...all]
  for (;;) {
    const widths = shrink(shown, naturalWidths(shown, rows), columns)
    const first = shown.filter(({ expendable }) => expendable !== undefined).sort(byExpense)[0]
    if (total(widths) <= columns || first === undefined) return { shown, widths }
    shown = shown.filter((column) => column !== first)
  }
}

const byExpense = (a: { expendable?: number }, b: { expendable?: number }) => b.expendable! - a.expendable!

const total = (widths: readonly number[]) => widths.reduce((sum, width) => sum + width + GAP, 0)

function naturalWidths<Row>(columns: readonly TopColumn<Row>[], rows: readonly Row[]): number[] {
  return columns.map(({ heading, drawn, cell }) => {
    if (drawn) return drawn.cells
    return rows.reduce((most, row) => Math.max(most, widthOf(safe(cell(row)))), heading.length)
  })
}

/** Takes from the widest that may shrink until all fit. */
function shrink<Row>(shown: readonly TopColumn<Row>[], natural: readonly number[], columns: number): number[] {
  const widths = [...natural]
  for (let over = total(widths) - columns; over > 0; over--) {
    let widest = -1
    for (const [at, { least }] of shown.entries()) {
      if (least === undefined || widths[at]! <= least) continue
      if (widest === -1 || widths[at]! > widths[widest]!) widest = at
    }
    if (widest === -1) break
    widths[widest]!--
  }
  return widths
}
