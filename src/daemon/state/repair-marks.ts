// When each name was last repaired, for as long as people are shown it, which a restart of the broker does not cut short.

import type { Records } from './expected-options.ts'

const KEY = 'repaired/'
/** How long `list` shows that a name was repaired. */
export const SHOWN_MS = 60_000
/** A socket that is shut ten thousand times a second is noted so often, and no more. */
const NOTED_MS = 1000

interface Mark {
  at: number
  noted: number
}

export class RepairMarks {
  private readonly records: Records
  private readonly marks = new Map<string, Mark>()

  /** Times are milliseconds since the epoch. */
  constructor(records: Records, values: ReadonlyMap<string, unknown>, now: number) {
    this.records = records
    for (const [key, value] of values) {
      if (key.startsWith(KEY) && typeof value === 'number')
        this.marks.set(key.slice(KEY.length), { at: value, noted: value })
    }
    this.sweep(now)
  }

  repaired(name: string, now: number): void {
    const noted = this.marks.get(name)?.noted ?? 0
    const note = Math.abs(now - noted) >= NOTED_MS
    this.marks.set(name, { at: now, noted: note ? now : noted })
    if (note) this.records.append([{ key: KEY + name, value: now }])
  }

  /** Undefined when that is not to be shown any more. */
  at(name: string, now: number): number | undefined {
    const mark = this.marks.get(name)
    return mark === undefined || isOver(mark, now) ? undefined : mark.at
  }

  /** Now and then. */
  sweep(now: number): void {
    const over = [...this.marks].filter(([, mark]) => isOver(mark, now)).map(([name]) => name)
    for (const name of over) this.marks.delete(name)
    if (over.length > 0) this.records.append(over.map((name) => ({ key: KEY + name, value: null })))
  }
}

/** The clock of a host may be set back: a time to come is of no use. */
function isOver({ at }: Mark, now: number): boolean {
  return now - at >= SHOWN_MS || at > now
}
