// The last events, so that who comes later can ask what happened.

import { HISTORY_MAX } from '../protocol/limits.ts'

/** An event of the core or of the shell. `at` in ms since the epoch. */
export type Occurrence = { event: string; at: number; name?: string } & Record<string, unknown>

export type PastEvent = Occurrence & { seq: number }

export interface HistoryAsked {
  name?: string
  /** Only the last so many. */
  limit?: number
  /** Only those from this time on, in ms since the epoch. */
  since?: number
}

export class History {
  private events: Occurrence[] = []
  /** The number of the first of them. */
  private first = 1

  /** Continues after those of an earlier broker: numbers only grow. */
  restore(past: Iterable<PastEvent>): void {
    const sorted = [...past].sort((a, b) => a.seq - b.seq).slice(-HISTORY_MAX)
    this.events = sorted.map(({ seq: _, ...event }) => event as Occurrence)
    this.first = (sorted.at(-1)?.seq ?? 0) + 1 - sorted.length
  }

  /** Answers its number. */
  add(event: Occurrence): number {
    this.events.push(event)
    // Not at each event: a shift of a long array costs more than the event.
    if (this.events.length >= 2 * HISTORY_MAX) {
      this.events = this.events.slice(-HISTORY_MAX)
      this.first += HISTORY_MAX
    }
    return this.first + this.events.length - 1
  }

  /** The oldest first. */
  select({ name, limit = HISTORY_MAX, since = 0 }: HistoryAsked = {}): PastEvent[] {
    const from = Math.max(0, this.events.length - HISTORY_MAX)
    const chosen: PastEvent[] = []
    for (let i = from; i < this.events.length; i++) {
      const event = this.events[i]!
      if (event.at >= since && (name === undefined || event.name === name))
        chosen.push({ ...event, seq: this.first + i })
    }
    return limit === 0 ? [] : chosen.slice(-limit)
  }
}
