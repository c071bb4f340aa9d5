// What the views of names and of one name share: a title, lines, the place of the cursor, and the events below.

import { eventLine } from './event-lines.ts'
import { glyphs, type Line, type Look, span } from './look.ts'
import type { TopState } from './state.ts'

export interface Body {
  title: Line
  lines: readonly Line[]
  /** The line of `lines` under the cursor. */
  cursor?: number | undefined
}

/** A fifth of the window; none when there is hardly room for names. */
export const eventHeight = (height: number) => (height < 10 ? 0 : Math.min(12, Math.max(3, Math.floor(height / 5))))

/** The first row shown, so that row `at` is, with as little blank as can be. */
export function scroll(at: number, count: number, room: number): number {
  return Math.max(0, Math.min(at - Math.floor(room / 2), count - room))
}

export function rule(text: string, { size }: Pick<TopState, 'size'>, look: Look): Line {
  const { rule } = glyphs(look)
  return [span(`${rule}${rule} ${text} ${rule.repeat(Math.max(0, size.columns - text.length - 4))}`, 'dim')]
}

export function eventLines({ events }: TopState, count: number, name?: string): Line[] {
  const shown = name === undefined ? events : events.filter((event) => event.name === name)
  return shown.slice(-count).map(eventLine)
}

export const clock = (now: number) => new Date(now).toTimeString().slice(0, 8)
