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
  private events: PastEvent[] = []
  private next = 1

  /** Continues after those of an earlier broker: numbers only grow. */
  restore(events: Iterable<PastEvent>): void {
    this.events = [...events].sort((a, b) => a.seq - b.seq).slice(-HISTORY_MAX)
    this.next = (this.events.at(-1)?.seq ?? 0) + 1
  }

  add(event: Occurrence): PastEvent {
    const past = { ...event, seq: this.next++ }
    this.events.push(past)
    // Not at each event: a shift of a long array costs more than the event.
    if (this.events.length >= 2 * HISTORY_MAX) this.events = this.events.slice(-HISTORY_MAX)
    return past
  }

  /** The oldest first. */
  select({ name, limit = HISTORY_MAX, since = 0 }: HistoryAsked = {}): PastEvent[] {
    const kept = this.events.slice(-HISTORY_MAX)
    const chosen = kept.filter((event) => event.at >= since && (name === undefined || event.name === name))
    return limit === 0 ? [] : chosen.slice(-limit)
  }
}
