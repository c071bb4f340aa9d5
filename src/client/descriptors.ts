// A lease's descriptors, and who owns which number. The lease keeps its own; what it hands out are copies that belong to
// whoever got them, because a Node server closes the number that it was given: no number ever has two owners.

import { BrokerError } from '../protocol/errors.ts'
import type { OwnedFd } from '../sys/index.ts'
import { closeAll } from './answers.ts'
import { systemFailure } from './failures.ts'

export class Descriptors {
  readonly #name: string
  #own: readonly OwnedFd[]
  #handedOut: number[] | undefined
  #gone = ''

  constructor(name: string, own: readonly OwnedFd[]) {
    this.#name = name
    this.#own = own
  }

  get closed(): boolean {
    return this.#gone !== ''
  }

  /** The lease's own, lent: throws INVALID when they were taken, ENDED when they are closed. */
  get own(): readonly OwnedFd[] {
    if (this.#gone === 'taken') {
      throw new BrokerError('INVALID', `the descriptors of the lease on ${this.#name} were taken: use those of take()`)
    }
    if (this.closed) throw new BrokerError('ENDED', `the lease on ${this.#name} was released: acquire it again`)
    return this.#own
  }

  /** Copies, one for each; the caller's. Throws SYSTEM when the table is full. */
  copies(): OwnedFd[] {
    const copies: OwnedFd[] = []
    try {
      for (const fd of this.own) copies.push(fd.dup())
      return copies
    } catch (error) {
      closeAll(copies)
      throw error instanceof BrokerError ? error : systemFailure(`cannot copy the sockets of ${this.#name}`, error)
    }
  }

  /** Numbers that are the caller's to close; the same ones each time. */
  handOut(): readonly number[] {
    this.#handedOut ??= this.copies().map((copy) => copy.release())
    return this.#handedOut
  }

  /** The number that was handed out for each socket; undefined where none was. */
  handedOut(at: number): number | undefined {
    return this.#handedOut?.[at]
  }

  /**
   * Other sockets from now on. `places` says for each which former one it continues, whose number goes on being the one that was
   * handed out. Returns the former ones, the caller's to close.
   */
  replace(own: readonly OwnedFd[], places: readonly (number | undefined)[]): readonly OwnedFd[] {
    const former = this.#own
    const handedOut = this.#handedOut
    this.#own = own
    this.#handedOut = handedOut && places.map((place, at) => handedOut[place ?? -1] ?? own[at]!.dup().release())
    return former
  }

  take(): number[] {
    const taken = this.own.map((fd) => fd.release())
    this.#gone = 'taken'
    this.#own = []
    return taken
  }

  close(): void {
    closeAll(this.#own)
    this.#own = []
    this.#gone ||= 'closed'
  }
}
