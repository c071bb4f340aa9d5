// The requests of one connection that wait for their answer, by id.

import { type Answer, closeAll, Parts } from './answers.ts'

export interface Waiting {
  answer: (answer: Answer) => void
  fail: (error: Error) => void
  /** Someone waits for it: it keeps the process alive. */
  awaited: boolean
}

const UINT32 = 2 ** 32

export class InFlight {
  readonly #waiting = new Map<number, Waiting & { parts: Parts }>()
  readonly #onAwaited: (any: boolean) => void
  #last = 0
  #awaited = 0

  /** `onAwaited` hears whether any request is awaited, each time that changes. */
  constructor(onAwaited: (any: boolean) => void) {
    this.#onAwaited = onAwaited
  }

  /** Returns an id that no other request in flight has. */
  add(waiting: Waiting): number {
    do this.#last = (this.#last + 1) % UINT32
    while (this.#waiting.has(this.#last))
    this.#waiting.set(this.#last, { ...waiting, parts: new Parts() })
    if (waiting.awaited) this.count(1)
    return this.#last
  }

  /** The caller gave up; the answer may still come, and goes to `answer`. */
  abandon(id: number, answer: (answer: Answer) => void): void {
    const waiting = this.#waiting.get(id)
    if (!waiting?.awaited) return
    waiting.awaited = false
    waiting.answer = answer
    this.count(-1)
  }

  /** Takes a packet that has an id. Throws when it is an impossible part. */
  take(id: number, packet: Answer): void {
    const waiting = this.#waiting.get(id)
    if (!waiting) return closeAll(packet.fds)
    const whole = waiting.parts.add(packet)
    if (!whole) return
    this.#waiting.delete(id)
    if (waiting.awaited) this.count(-1)
    waiting.answer(whole)
  }

  failAll(error: Error): void {
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    this.count(-this.#awaited)
    for (const { parts, fail } of all) {
      parts.close()
      fail(error)
    }
  }

  /** More, or fewer, are awaited. */
  count(change: number): void {
    const before = this.#awaited > 0
    this.#awaited += change
    if (this.#awaited > 0 !== before) this.#onAwaited(!before)
  }
}
