// One descriptor kept in reserve. Where the table is full the kernel drops what was passed (MSG_CTRUNC) and the message is
// gone; the spare makes room for the second try. It makes room for the next connection, too, when one was lost.

import { closeSync, openSync } from 'node:fs'

export class SpareFd {
  #fd: number | undefined
  #retired = false

  /** Takes a slot, if the table has one. Returns whether it has one. */
  keep(): boolean {
    try {
      if (!this.#retired) this.#fd ??= openSync('/dev/null', 'r')
    } catch {
      this.#fd = undefined
    }
    return this.#fd !== undefined
  }

  /** Runs `attempt` with the slot free, and takes a slot again if one is left. */
  async lend<T>(attempt: () => Promise<T>): Promise<T> {
    this.#free()
    try {
      return await attempt()
    } finally {
      this.keep()
    }
  }

  retire(): void {
    this.#retired = true
    this.#free()
  }

  #free(): void {
    if (this.#fd === undefined) return
    closeSync(this.#fd)
    this.#fd = undefined
  }
}
