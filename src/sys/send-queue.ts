import { dupAll, type OwnedFd } from './owned-fd.ts'

export interface QueuedMessage {
  bytes: Uint8Array
  fds: Int32Array | null
}

/** Messages that the kernel did not take yet, with bytes and descriptors of their own. */
export class SendQueue {
  #messages: { bytes: Uint8Array; owned: OwnedFd[]; fds: Int32Array | null }[] = []
  #bytes = 0

  get head(): QueuedMessage | undefined {
    return this.#messages[0]
  }

  get bytes(): number {
    return this.#bytes
  }

  add(bytes: Uint8Array, fds: Int32Array | null): void {
    const owned = dupAll(fds ?? [])
    const numbers = fds && Int32Array.from(owned, (fd) => fd.fd)
    this.#messages.push({ bytes: Uint8Array.from(bytes), owned, fds: numbers })
    this.#bytes += bytes.length
  }

  shift(): void {
    const message = this.#messages.shift()
    if (!message) return
    this.#bytes -= message.bytes.length
    for (const fd of message.owned) fd.close()
  }

  clear(): void {
    while (this.head) this.shift()
  }
}
