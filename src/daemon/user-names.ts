// Names of uids for people, read from passwd(5) again when the file has changed.

import { readFileSync, statSync } from 'node:fs'

const LOOK_EVERY_MS = 1000

export class UserNames {
  private names = new Map<number, string>()
  private changed = -1
  private looked = Number.NEGATIVE_INFINITY
  private readonly file: string

  constructor(file = '/etc/passwd') {
    this.file = file
  }

  /** The account's name, or the uid in digits when it has none here. */
  of(uid: number): string {
    this.refresh()
    return this.names.get(uid) ?? String(uid)
  }

  private refresh(): void {
    const now = performance.now()
    if (now - this.looked < LOOK_EVERY_MS) return
    this.looked = now
    try {
      const { mtimeMs } = statSync(this.file)
      if (mtimeMs === this.changed) return
      const lines = readFileSync(this.file, 'utf8').split('\n').reverse()
      // Reversed, so that the first entry of a uid wins, as in getpwuid(3).
      this.names = new Map(lines.map((line) => line.split(':')).map(([name = '', , uid]) => [Number(uid), name]))
      this.changed = mtimeMs
    } catch {
      // A container may have no such file: digits, then.
    }
  }
}
