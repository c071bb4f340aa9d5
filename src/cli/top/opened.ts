// One name: its sockets, its generations, who holds it, and what happens to it.

import { counted } from '../../protocol/counted.ts'
import type { HolderView, NameView, SocketFigures } from '../../protocol/messages.ts'
import { withoutDirectory } from '../short-command.ts'
import { formatDuration } from '../table.ts'
import { type Body, clock, eventHeight, eventLines, rule, scroll } from './body.ts'
import { type TopColumn, tableLines } from './columns.ts'
import { type GenerationView, generationsOf } from './generations.ts'
import { bar, glyphs, type Line, type Look, type Style, span, spark } from './look.ts'
import { drawingWidths, queueText, stateStyle } from './name-table.ts'
import { selectedLease } from './press-key.ts'
import { ratioOf } from './rows.ts'
import type { TopState } from './state.ts'

export function openedBody(state: TopState, view: NameView, look: Look, height: number): Body {
  const { columns } = state.size
  const holders = state.holders.filter(({ name }) => name === view.name)
  const table = <Row>(of: readonly TopColumn<Row>[], rows: readonly Row[]) => tableLines(of, rows, columns, look)
  const sockets = table(socketColumns(state, view, look), view.sockets.slice(0, Math.max(1, Math.floor(height / 4))))
  const generations = table(
    GENERATION_COLUMNS,
    generationsOf(view, holders).slice(0, Math.max(1, Math.floor(height / 5))),
  )
  const above = [sockets.heading, ...sockets.lines, [], generations.heading, ...generations.lines, []]
  const events = eventHeight(height)
  const room = Math.max(0, height - above.length - 1 - (events > 0 ? events + 1 : 0))
  const at = holders.findIndex(({ lease }) => lease === selectedLease(state))
  const top = scroll(at, holders.length, room)
  const people = table(holderColumns(state.now), holders.slice(top, top + room))
  const filled = [...people.lines, ...Array<Line>(Math.max(0, room - people.lines.length)).fill([])]
  if (holders.length === 0 && room > 0) filled[0] = [span('no holder', 'dim')]
  return {
    title: titleOf(state, view, holders.length, look),
    lines: [
      ...above,
      people.heading,
      ...filled,
      ...(events > 0 ? [rule(`events of ${view.name}`, state, look), ...eventLines(state, events, view.name)] : []),
    ],
    cursor: at < 0 || room === 0 ? undefined : above.length + 1 + at - top,
  }
}

function titleOf(
  { now }: TopState,
  { name, mode, state, waiting, waitingFor = [] }: NameView,
  holders: number,
  look: Look,
): Line {
  const facts = [
    mode,
    waitingFor.length > 0 ? `${state} (pid ${waitingFor.join(', ')} leaves first)` : state,
    counted(holders, 'holder'),
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
  ]
  return [span(` fd-broker  ${clock(now)}  ${name} ${glyphs(look).dot} ${facts.join(` ${glyphs(look).dot} `)}`)]
}

function socketColumns(state: TopState, view: NameView, look: Look): readonly TopColumn<SocketFigures>[] {
  const widths = drawingWidths(state.size.columns)
  const history = state.history.get(view.name) ?? []
  const only = view.sockets.length === 1
  return [
    { heading: 'ADDRESS', least: 10, keep: 'end', cell: ({ address }) => address, style: () => 'bold' },
    { heading: 'QUEUE', align: 'right', cell: ({ queue, limit }) => queueText(queue, limit) },
    {
      heading: '',
      cell: () => '',
      drawn: { cells: widths.bar, draw: (socket) => bar(ratioOf(socket), widths.bar, look) },
    },
    {
      heading: '',
      cell: () => '',
      expendable: 2,
      drawn: { cells: only ? widths.spark : 0, draw: () => (only ? [span(spark(history, widths.spark, look))] : []) },
    },
    {
      heading: 'DROPS',
      align: 'right',
      cell: ({ drops }) => String(drops),
      style: ({ drops }) => (drops > 0 ? 'red' : undefined),
    },
    { heading: 'COOKIE', expendable: 3, cell: ({ cookie }) => cookie },
  ]
}

const ROLE_STYLES: Readonly<Record<GenerationView['role'], Style>> = {
  current: 'green',
  pending: 'cyan',
  leaving: 'dim',
}

const GENERATION_COLUMNS: readonly TopColumn<GenerationView>[] = [
  { heading: 'GENERATION', least: 10, cell: ({ label }) => label, style: () => 'bold' },
  { heading: 'IS', cell: ({ role }) => role, style: ({ role }) => ROLE_STYLES[role] },
  { heading: 'GRANTED', align: 'right', cell: ({ granted }) => String(granted) },
  { heading: 'READY', align: 'right', cell: ({ ready }) => String(ready) },
  { heading: 'DRAINING', align: 'right', cell: ({ draining }) => String(draining) },
]

const HOLDER_STYLES: Readonly<Record<string, Style>> = {
  granted: 'cyan',
  ready: 'green',
  draining: 'yellow',
  undeclared: 'red',
}

function holderColumns(now: number): readonly TopColumn<HolderView>[] {
  return [
    { heading: 'LEASE', align: 'right', cell: ({ lease }) => (lease === null ? '-' : String(lease)) },
    { heading: 'PID', align: 'right', cell: ({ pid }) => String(pid) },
    { heading: 'USER', least: 6, cell: ({ user }) => user },
    { heading: 'COMMAND', least: 12, cell: ({ command }) => withoutDirectory(command) },
    { heading: 'GENERATION', least: 6, expendable: 2, cell: ({ generation }) => generation ?? '-' },
    {
      heading: 'STATE',
      cell: ({ state }) => state ?? '-',
      style: ({ state }) => HOLDER_STYLES[state] ?? stateStyle(state),
    },
    { heading: 'SINCE', align: 'right', cell: ({ since }) => (since === null ? '-' : formatDuration(now - since)) },
    {
      heading: 'LEFT',
      align: 'right',
      cell: (holder) => leftOf(holder, now),
    },
    { heading: 'STATUS', least: 6, expendable: 3, cell: remarkOf },
  ]
}

function leftOf(holder: HolderView, now: number): string {
  if (holder.lease === null || holder.deadline === undefined) return ''
  return formatDuration(Math.max(0, holder.deadline - now))
}

/** What the holder says of itself; of one without a lease, whose socket it inherited. */
function remarkOf(holder: HolderView): string {
  if (holder.lease !== null) return holder.status ?? holder.label ?? ''
  return holder.inheritedFrom === undefined ? '' : `of lease ${holder.inheritedFrom}`
}
