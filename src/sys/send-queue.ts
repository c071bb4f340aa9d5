import { dupAll, type OwnedFd } from './owned-fd.ts'

export interface QueuedMessage {
  bytes: Uint8Array
  fds: Int32Array | null
  cookies: BigUint64Array | undefined
}

/** Messages that the kernel did not take yet, with bytes and descriptors of their own. */
export class SendQueue {
  #messages: (QueuedMessage & { owned: OwnedFd[] })[] = []
  #bytes = 0

  get head(): QueuedMessage | undefined {
    return this.#messages[0]
  }

  get bytes(): number {
    return this.#bytes
  }

  add(bytes: Uint8Array, fds: Int32Array | null, cookies: BigUint64Array | undefined): void {
    const owned = dupAll(fds ?? [])
    const numbers = fds && Int32Array.from(owned, (fd) => fd.fd)
    this.#messages.push({ bytes: Uint8Array.from(bytes), owned, fds: numbers, cookies })
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
