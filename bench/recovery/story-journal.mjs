// What clients were told, kept outside the broker, and compared with what it says.

import { setTimeout as sleep } from 'node:timers/promises'

export class Journal {
  faults = []
  leases = new Set()
  #admin

  constructor(admin) {
    this.#admin = admin
  }

  note(lease) {
    this.leases.add(lease)
    return lease
  }

  async compare(when) {
    const told = [...this.leases].map(line).sort()
    const says = (await this.holders()).map(({ lease, ...more }) => line({ id: lease, ...more })).sort()
    if (told.join() !== says.join()) this.faults.push(`${when}: told [${told}], holders says [${says}]`)
  }

  async holders() {
    return (await this.#admin.holders()).filter(({ lease }) => lease !== null)
  }

  /** Until the end of a process is known. */
  async ended({ id }) {
    for (const end = performance.now() + 2000; performance.now() < end; await sleep(20)) {
      if ((await this.holders()).every(({ lease }) => lease !== id)) return
    }
  }

  /** A release while no broker is there is told to the next one, and an end found by it, which may take a moment. */
  async settled() {
    for (const end = performance.now() + 2000; performance.now() < end; await sleep(20)) {
      if ((await this.holders()).length === 0) return
    }
  }
}

const line = ({ id, name, state }) => `${id} ${name} ${state}`

/** A promise that is awaited later: whatever ends the story first, it is no unhandled rejection. */
export function later(promise) {
  promise.catch(() => {})
  return promise
}

export async function waits(admin, name) {
  for (;;) {
    const view = (await admin.list()).find((one) => one.name === name)
    if (view.waiting > 0) return
    await sleep(5)
  }
}
