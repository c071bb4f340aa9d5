// One event on one line: for people, or as JSON.

import type { BrokerEvent } from '../client/index.ts'
import { printable } from '../protocol/printable.ts'

/** `granted    name=web lease=3 pid=4711`, after the time as `time` writes it. */
export function formatEvent({ event, at, ...details }: BrokerEvent, time: (at: number) => string): string {
  const pairs = Object.entries(details).map(([key, value]) => ` ${key}=${bare(value)}`)
  return `${time(at)} ${event.padEnd(10)}${printable(pairs.join(''))}\n`
}

function bare(value: unknown): string {
  return typeof value === 'string' && /^[\w.:@/-]+$/.test(value) ? value : JSON.stringify(value)
}
