// The window as lines: (state, look) -> exactly size.rows texts of exactly size.columns cells.

import { browseBody } from './browse.ts'
import { HELP_LINES } from './help.ts'
import { glyphs, type Line, type Look, paint, span } from './look.ts'
import { openedBody } from './opened.ts'
import type { Question, TopState } from './state.ts'
import { safe } from './text.ts'

export function render(state: TopState, look: Look): string[] {
  const { columns, rows } = state.size
  const inside = Math.max(0, rows - 2)
  const opened = state.names.find(({ name }) => name === state.opened)
  const { title, lines, cursor } = opened ? openedBody(state, opened, look, inside) : browseBody(state, look, inside)
  const shown = state.mode === 'help' ? HELP_LINES.map((text) => [span(text)]) : lines
  const body = Array.from({ length: inside }, (_, at) => {
    const over = at === cursor && state.mode !== 'help' ? 'reverse' : undefined
    const marker = look.colour ? [] : [span(over === undefined ? '  ' : '> ')]
    return paint([...marker, ...(shown[at] ?? [])], columns, look, over)
  })
  return [paint(title, columns, look, 'reverse'), ...body, paint(footer(state, look), columns, look)].slice(0, rows)
}

function footer(state: TopState, look: Look): Line {
  const { question, away, notice, mode, filter } = state
  if (question) return [span(ask(question), 'bold')]
  if (mode === 'filter')
    return [span('filter: ', 'bold'), span(`${safe(filter)}_`), span('  Enter keeps it, Esc clears it', 'dim')]
  if (away !== undefined) return [span('broker away, trying again: ', 'red'), span(safe(away))]
  if (notice) return [span(safe(notice.text), notice.bad ? 'red' : 'bold')]
  return keys(state, look)
}

function ask(question: Question): string {
  if (question.verb === 'resume') return `resume ${question.name}? waiters are granted again  [y/N]`
  if (question.verb === 'pause') return `pause ${question.name}? nothing is granted  [y/N, d: also drain its holders]`
  const whom = 'name' in question ? `all holders of ${question.name}` : `the holder of lease ${question.lease}`
  return `drain ${whom}? they finish and leave  [y/N]`
}

const BROWSE_KEYS = 'q quit  s sort  / filter  Enter open  d drain  p pause  ? help'
const OPENED_KEYS = 'q quit  Esc back  d drain all  D drain this lease  p pause  ? help'

function keys(state: TopState, look: Look): Line {
  if (state.mode === 'help') return [span('any key goes back', 'dim')]
  const { dot } = glyphs(look)
  const text = state.opened === undefined ? BROWSE_KEYS : OPENED_KEYS
  return [span(text.replaceAll('  ', ` ${dot} `), 'dim')]
}
