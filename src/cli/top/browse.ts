// All names, the generations that are on their way, and what happens.

import { counted } from '../../protocol/counted.ts'
import { type Body, clock, eventHeight, eventLines, rule, scroll } from './body.ts'
import { tableLines } from './columns.ts'
import { generationLine, generationsOf } from './generations.ts'
import { glyphs, type Line, type Look, span } from './look.ts'
import { nameColumns } from './name-table.ts'
import { selectedName } from './press-key.ts'
import { dropsOf, visibleNames } from './rows.ts'
import type { TopState } from './state.ts'
import { safe } from './text.ts'

export function browseBody(state: TopState, look: Look, height: number): Body {
  const rows = visibleNames(state.names, state.filter, state.sort)
  const at = rows.findIndex(({ name }) => name === selectedName(state))
  const rolling = rollingLines(state, look).slice(0, Math.floor(height / 6))
  const events = eventHeight(height)
  const room = Math.max(1, height - 1 - section(rolling.length) - section(events))
  const top = scroll(at, rows.length, room)
  const { heading, lines } = tableLines(nameColumns(state, look), rows.slice(top, top + room), state.size.columns, look)
  const filled = [...lines, ...Array<Line>(room - lines.length).fill([])]
  if (rows.length === 0) filled[0] = [span(emptyText(state), 'dim')]
  return {
    title: titleOf(state, rows.length, look),
    lines: [
      heading,
      ...filled,
      ...(rolling.length > 0 ? [rule('generations', state, look), ...rolling] : []),
      ...(events > 0 ? [rule('events', state, look), ...eventLines(state, events)] : []),
    ],
    cursor: rows.length === 0 ? undefined : 1 + at - top,
  }
}

const section = (lines: number) => (lines > 0 ? lines + 1 : 0)

function rollingLines(state: TopState, look: Look): Line[] {
  const { arrow } = glyphs(look)
  const views = state.names.filter(({ name }) => state.rolling.has(name))
  return views.map((view) => [
    span(`${view.name}  `, 'bold'),
    span(safe(generationLine(generationsOf(view, state.holders), arrow))),
  ])
}

function emptyText({ names, filter }: TopState): string {
  return names.length === 0 ? 'no names yet' : `no name, address or state has “${safe(filter)}”: Esc clears the filter`
}

function titleOf(state: TopState, shown: number, look: Look): Line {
  const { names, filter, sort, now } = state
  const sum = (figure: (view: (typeof names)[number]) => number) =>
    names.reduce((total, view) => total + figure(view), 0)
  const ready = sum(({ holders }) => holders.ready)
  const all = ready + sum(({ holders: { granted, draining } }) => granted + draining)
  const facts = [
    filter === '' ? counted(names.length, 'name') : `${shown} of ${counted(names.length, 'name')}`,
    `sort: ${sort}`,
    `${ready}/${all} ready`,
    `${sum(({ waiting }) => waiting)} waiting`,
    counted(sum(dropsOf), 'drop'),
    ...(filter === '' ? [] : [`filter: ${safe(filter)}`]),
  ]
  return [span(` fd-broker  ${clock(now)}  ${facts.join(` ${glyphs(look).dot} `)}`)]
}
