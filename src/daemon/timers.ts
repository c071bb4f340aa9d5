// The core asks for timers by key and absolute time; this keeps one real timer per key.

import { MILLISECONDS_MAX } from '../protocol/limits.ts'

export class Timers {
  private readonly timers = new Map<string, NodeJS.Timeout>()
  private readonly fire: (key: string) => void

  constructor(fire: (key: string) => void) {
    this.fire = fire
  }

  /** `at`: milliseconds since the epoch. A key that runs already is set anew. */
  start(key: string, at: number): void {
    this.stop(key)
    const delay = Math.min(Math.max(at - Date.now(), 0), MILLISECONDS_MAX)
    const timer = setTimeout(() => {
      this.timers.delete(key)
      this.fire(key)
    }, delay)
    this.timers.set(key, timer)
  }

  stop(key: string): void {
    clearTimeout(this.timers.get(key))
    this.timers.delete(key)
  }

  stopAll(): void {
    for (const key of [...this.timers.keys()]) this.stop(key)
  }
}
