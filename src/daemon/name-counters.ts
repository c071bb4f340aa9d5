// What is counted of each name: a few additions at an event, all else is read when somebody asks.

import type { ErrorCode } from '../protocol/errors.ts'
import { ENDINGS } from './durations.ts'
import type { Occurrence } from './history.ts'
import { Histogram } from './metrics/histogram.ts'

export class NameCounter {
  grants = 0
  takeovers = 0
  rollbacks = 0
  repairs = 0
  readonly ended = new Map<string, number>()
  readonly refusals = new Map<ErrorCode, number>()
  readonly ready = new Histogram()
  readonly drained = new Histogram()
}

type Count = (counter: NameCounter, event: Occurrence) => void

const COUNTS: Record<string, Count> = {
  granted: (counter) => counter.grants++,
  promoted: (counter) => counter.takeovers++,
  rollback: (counter) => counter.rollbacks++,
  repaired: (counter, { times }) => {
    counter.repairs += typeof times === 'number' ? times : 1
  },
  ready: (counter, { after }) => typeof after === 'number' && counter.ready.observe(after / 1000),
}

export class NameCounters {
  private readonly names = new Map<string, NameCounter>()

  of(name: string): NameCounter {
    const known = this.names.get(name)
    if (known !== undefined) return known
    const counter = new NameCounter()
    this.names.set(name, counter)
    return counter
  }

  /** `name` is one of the config's, so that no peer can make these grow. */
  refused(name: string, code: ErrorCode): void {
    const { refusals } = this.of(name)
    refusals.set(code, (refusals.get(code) ?? 0) + 1)
  }

  count(event: Occurrence): void {
    const { event: what, name } = event
    if (name === undefined) return
    COUNTS[what]?.(this.of(name), event)
    if (!ENDINGS.has(what)) return
    const { ended, drained } = this.of(name)
    ended.set(what, (ended.get(what) ?? 0) + 1)
    if (typeof event['drained'] === 'number') drained.observe(event['drained'] / 1000)
  }
}
