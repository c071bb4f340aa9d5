// The table of names: a row each, whatever the number of its sockets.

import type { NameView } from '../../protocol/messages.ts'
import type { TopColumn } from './columns.ts'
import { bar, type Look, type Style, span, spark } from './look.ts'
import { dropsOf, fullest, ratioOf } from './rows.ts'
import type { TopState } from './state.ts'

const STATE_STYLES: Readonly<Record<string, Style>> = {
  ok: 'green',
  idle: 'dim',
  paused: 'yellow',
  'handing-over': 'cyan',
  saturated: 'red',
  lost: 'red',
  repaired: 'magenta',
}

export const stateStyle = (state: string): Style | undefined => STATE_STYLES[state]

const NARROW = 100

/** Bars and sparklines grow with the window. */
export function drawingWidths(columns: number): { bar: number; spark: number } {
  if (columns < NARROW) return { bar: 5, spark: 6 }
  return columns < 160 ? { bar: 10, spark: 12 } : { bar: 20, spark: 30 }
}

const KIB = 1024

/** Backlogs as they are; the bytes of a datagram socket in units, for their buffers are large. */
function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return '-'
  return value < 100 * KIB ? String(value) : `${Math.round(value / KIB)}K`
}

export const queueText = (queue: number | null | undefined, limit: number | null | undefined) =>
  `${figure(queue)}/${figure(limit)}`

export function nameColumns(state: TopState, look: Look): readonly TopColumn<NameView>[] {
  const { columns } = state.size
  const widths = drawingWidths(columns)
  const rolls = (name: string) => state.rolling.has(name)
  return [
    { heading: 'NAME', least: 6, cell: ({ name }) => name, style: () => 'bold' },
    { heading: 'ADDRESS', least: 10, keep: 'end', expendable: 3, cell: (view) => address(view, columns) },
    {
      heading: 'MODE',
      expendable: 4,
      cell: ({ mode }) => (columns < NARROW ? (mode === 'exclusive' ? 'excl' : mode) : mode),
    },
    {
      heading: 'GEN',
      least: 5,
      cell: ({ name, generation }) => `${generation}${rolls(name) ? '+' : ''}`,
      style: ({ name }) => (rolls(name) ? 'cyan' : undefined),
    },
    { heading: 'HOLDERS', cell: holders },
    { heading: 'QUEUE', align: 'right', cell: queue },
    {
      heading: '',
      cell: () => '',
      drawn: { cells: widths.bar, draw: (view) => bar(ratioOf(fullest(view) ?? NONE), widths.bar, look) },
    },
    {
      heading: '',
      cell: () => '',
      expendable: 2,
      drawn: {
        cells: widths.spark,
        draw: ({ name }) => [span(spark(state.history.get(name) ?? [], widths.spark, look))],
      },
    },
    {
      heading: 'DROPS',
      align: 'right',
      expendable: 1,
      cell: (view) => String(dropsOf(view)),
      style: (view) => (dropsOf(view) > 0 ? 'red' : undefined),
    },
    { heading: 'STATE', least: 9, cell: ({ state }) => state, style: ({ state }) => stateStyle(state) },
  ]
}

const NONE = { queue: null, limit: null }

/** A narrow window has no room for the usual schemes. */
function address({ sockets: [first, ...others] }: NameView, columns: number): string {
  if (first === undefined) return '-'
  const shown = columns < NARROW ? first.address.replace(/^(tcp|unix):\/\//, '') : first.address
  return others.length === 0 ? shown : `${shown} +${others.length}`
}

/** Ready of all, and who waits, as `fd-broker list` has it. */
function holders({ holders: { granted, ready, draining }, waiting }: NameView): string {
  return `${ready}/${granted + ready + draining}${waiting > 0 ? `+${waiting}` : ''}`
}

function queue(view: NameView): string {
  const socket = fullest(view)
  return queueText(socket?.queue, socket?.limit)
}
