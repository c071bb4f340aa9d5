// How things look: what this terminal can show, styles, bars and sparklines.

import { cut, widthOf } from './text.ts'

export interface Look {
  colour: boolean
  /** The locale says that the terminal takes UTF-8. */
  unicode: boolean
}

const SGR = {
  bold: '1',
  dim: '2',
  reverse: '7',
  red: '31',
  green: '32',
  yellow: '33',
  cyan: '36',
  magenta: '35',
} as const

export type Style = keyof typeof SGR

export interface Span {
  text: string
  style?: Style | undefined
}

export type Line = readonly Span[]

export function span(text: string, style?: Style): Span {
  return { text, style }
}

/** A line as it is written: exactly `columns` cells, styles closed. */
export function paint(line: Line, columns: number, { colour }: Look, over?: Style): string {
  let room = columns
  let out = ''
  for (const { text, style = over } of line) {
    const shown = cut(text, room)
    room -= widthOf(shown)
    out += dress(shown, over ?? style, colour)
    if (room === 0) return out
  }
  return out + dress(' '.repeat(room), over, colour)
}

function dress(text: string, style: Style | undefined, colour: boolean): string {
  return colour && style !== undefined && text !== '' ? `\u001b[${SGR[style]}m${text}\u001b[0m` : text
}

const GLYPHS = {
  unicode: { ellipsis: '…', rule: '─', arrow: '→', dot: '·', bar: ' ▏▎▍▌▋▊▉█', spark: '▁▂▃▄▅▆▇█', track: '░' },
  ascii: { ellipsis: '~', rule: '-', arrow: '->', dot: '-', bar: ' #', spark: '_.:-=+*#', track: '.' },
}

export function glyphs({ unicode }: Look): (typeof GLYPHS)['unicode'] {
  return unicode ? GLYPHS.unicode : GLYPHS.ascii
}

/** From half full on it is worth a look; near the limit the kernel is about to drop. */
export function fullness(ratio: number): Style | undefined {
  if (ratio >= 0.9) return 'red'
  return ratio >= 0.5 ? 'yellow' : 'green'
}

/** `ratio` of `width` cells, in the finest steps there are; anything at all shows. */
export function bar(ratio: number, width: number, look: Look): Line {
  const { bar: steps, track } = glyphs(look)
  const fine = steps.length - 1
  const most = Math.min(1, Math.max(0, ratio)) * width * fine
  const filled = ratio > 0 ? Math.max(1, Math.round(most)) : 0
  const whole = Math.floor(filled / fine)
  const part = filled % fine === 0 ? '' : steps[filled % fine]!
  const shown = steps[fine]!.repeat(whole) + part
  return [span(shown, fullness(ratio)), span(track.repeat(width - whole - part.length), 'dim')]
}

/** The last `width` figures, on a scale of their own. */
export function spark(figures: readonly number[], width: number, look: Look): string {
  const { spark: steps } = glyphs(look)
  const shown = figures.slice(-width)
  const most = Math.max(1, ...shown)
  const step = (figure: number) => (figure <= 0 ? 0 : Math.max(1, Math.round((figure / most) * (steps.length - 1))))
  return shown
    .map((figure) => steps[step(figure)])
    .join('')
    .padStart(width)
}

/** As the C library reads the locale: the first of these that is set. */
export function speaksUtf8(variables: NodeJS.ProcessEnv): boolean {
  const locale = ['LC_ALL', 'LC_CTYPE', 'LANG'].map((name) => variables[name]).find((value) => value)
  return /utf-?8/i.test(locale ?? '')
}
