// One descriptor kept in reserve. Where the table is full the kernel drops what was passed (MSG_CTRUNC) and the message is
// gone; the spare makes room for the second try. It makes room for the next connection, too, when one was lost.

import { type OwnedFd, openSpare } from '../sys/index.ts'

export class SpareFd {
  #fd: OwnedFd | undefined
  #retired = false

  /** Takes a slot, if the table has one. Returns whether it has one. */
  keep(): boolean {
    if (!this.#retired) this.#fd ??= openSpare()
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
    this.#fd?.close()
    this.#fd = undefined
  }
}
