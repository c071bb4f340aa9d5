// Events at the bottom of the window.

import type { BrokerEvent } from '../../client/index.ts'
import { type Line, type Style, span } from './look.ts'
import { safe } from './text.ts'

const STYLES: Readonly<Record<string, Style>> = {
  promoted: 'green',
  rollback: 'red',
  died: 'red',
  expired: 'red',
  evicted: 'red',
  denied: 'yellow',
  undeclared: 'yellow',
  repaired: 'magenta',
  drain: 'cyan',
}

/** What a narrow window should show first. `uid` says no more than `user`. */
const FIRST = ['reason', 'ended', 'code', 'generation', 'former', 'lease', 'pid', 'user']

const weight = (key: string) => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length)

const byWeight = ([a]: [string, unknown], [b]: [string, unknown]) => weight(a) - weight(b)

/** `14:03:22 granted    web  lease=3 pid=4711`, in the operator's own time zone. */
export function eventLine({ event, at, name, uid: _uid, ...details }: BrokerEvent): Line {
  const time = new Date(at).toTimeString().slice(0, 8)
  const pairs = Object.entries(details)
    .toSorted(byWeight)
    .map(([key, value]) => `${key}=${bare(value)}`)
  return [
    span(`${time} `, 'dim'),
    span(safe(event).padEnd(11), STYLES[event]),
    span(safe([name ?? '', ...pairs].filter((text) => text !== '').join(' '))),
  ]
}

function bare(value: unknown): string {
  return typeof value === 'string' && /^[\w.:@/-]+$/.test(value) ? value : JSON.stringify(value)
}
