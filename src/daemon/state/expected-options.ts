// What each guarded socket is to be like, for the broker that comes after this one: what a holder bends while nobody looks would pass
// for normal otherwise. By cookie, so that it is never taken for another socket's.

import type { StateRecord } from '../../core/state.ts'

const KEY = 'guard/'

/** The part of a state log that this needs. */
export interface Records {
  append(records: readonly StateRecord[]): void
}

export class ExpectedOptions {
  private readonly records: Records
  /** Of the broker before, by cookie; those that are of no use any more are dropped in the end. */
  private readonly former = new Map<string, string>()
  /** What is noted before settle(), which writes it down at once. */
  private early: StateRecord[] | undefined = []

  constructor(records: Records, values: ReadonlyMap<string, unknown>) {
    this.records = records
    for (const [key, value] of values) {
      if (key.startsWith(KEY) && typeof value === 'string') this.former.set(key.slice(KEY.length), value)
    }
  }

  /** What the broker before noted; once, as whatever comes later for this socket is asked for. */
  take(cookie: string): string | undefined {
    const text = this.former.get(cookie)
    this.former.delete(cookie)
    return text
  }

  note(cookie: string, text: string): void {
    this.write([{ key: KEY + cookie, value: text }])
  }

  drop(cookie: string): void {
    this.write([{ key: KEY + cookie, value: null }])
  }

  private write(records: readonly StateRecord[]): void {
    if (this.early) this.early.push(...records)
    else this.records.append(records)
  }

  /** All sockets have taken theirs. */
  settle(): void {
    const gone = [...this.former.keys()].map((cookie) => ({ key: KEY + cookie, value: null }))
    this.records.append([...(this.early ?? []), ...gone])
    this.early = undefined
    this.former.clear()
  }
}
