// The events that the core is yet to decide on. It decides on one at a time: what arises from an event comes after it, and so does
// what comes while the queue is held.

import type { CoreEvent } from '../core/types.ts'

export class EventQueue {
  private readonly events: CoreEvent[] = []
  private readonly handle: (event: CoreEvent) => void
  private readonly settled: () => void
  private handling = false
  private held = false

  /** `settled` is told when none is left for now. */
  constructor(handle: (event: CoreEvent) => void, settled: () => void) {
    this.handle = handle
    this.settled = settled
  }

  put(event: CoreEvent): void {
    this.events.push(event)
    if (!this.handling && !this.held) this.settle()
  }

  hold(): void {
    this.held = true
  }

  resume(): void {
    this.held = false
    if (!this.handling) this.settle()
  }

  /** An event whose handling throws is over: those after it are not lost. */
  private settle(): void {
    this.handling = true
    try {
      while (this.events.length > 0 && !this.held) this.handle(this.events.shift()!)
    } finally {
      this.handling = false
    }
    this.settled()
  }
}
