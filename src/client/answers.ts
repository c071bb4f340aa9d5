// An answer of one or several packets, with its descriptors in order. Descriptors that came are closed exactly once: by
// whoever received the answer, or here when it never became whole.

import { joinParts } from '../protocol/encode.ts'
import type { OwnedFd } from '../sys/index.ts'

export type Message = Record<string, unknown>

export interface Answer {
  message: Message
  fds: OwnedFd[]
  /** The kernel dropped descriptors (MSG_CTRUNC): this process's table was full, or an LSM refused them. */
  fdsLost: boolean
}

/** More than a broker ever has sockets for: the bound of what an answer can make a client hold. */
const PARTS_MAX = 1024

export function closeAll(fds: Iterable<OwnedFd>): void {
  for (const fd of fds) fd.close()
}

/** Collects the parts of one answer. */
export class Parts {
  #parts: (Answer | undefined)[] = []
  #missing = 0

  /** The whole answer, once its last part is here. Throws a plain fault, and closes nothing, when the part is impossible. */
  add(next: Answer): Answer | undefined {
    const { part, parts } = next.message
    if (part === undefined && parts === undefined && this.#parts.length === 0) return next
    if (!isCount(part) || !isCount(parts) || part > parts) throw new Error('a part has an impossible number')
    if (this.#parts.length === 0) {
      this.#parts = new Array<Answer | undefined>(parts).fill(undefined)
      this.#missing = parts
    }
    if (parts !== this.#parts.length || this.#parts[part - 1])
      throw new Error('a part came twice or with another total')
    this.#parts[part - 1] = next
    this.#missing--
    return this.#missing === 0 ? this.#join() : undefined
  }

  close(): void {
    for (const part of this.#parts) closeAll(part?.fds ?? [])
    this.#parts = []
  }

  #join(): Answer {
    const whole = this.#parts as Answer[]
    this.#parts = []
    return {
      message: joinParts(whole.map(({ message }) => message)),
      fds: whole.flatMap(({ fds }) => fds),
      fdsLost: whole.some(({ fdsLost }) => fdsLost),
    }
  }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= PARTS_MAX
}
