// A lease's descriptors, and who owns which number. The lease keeps its own; what it hands out are copies that belong to
// whoever got them, because a Node server closes the number that it was given: no number ever has two owners.

import { BrokerError } from '../protocol/errors.ts'
import type { OwnedFd } from '../sys/index.ts'
import { closeAll } from './answers.ts'
import { systemFailure } from './failures.ts'

/** Makes a copy that is the caller's. Throws SystemError when the table is full. */
export type Copy = (fd: OwnedFd) => OwnedFd

/** What `make` returns; when it throws, the copies that it has made are closed. */
export function allOrNone<T>(make: (copy: Copy) => T): T {
  const copies: OwnedFd[] = []
  try {
    return make((fd) => {
      const copy = fd.dup()
      copies.push(copy)
      return copy
    })
  } catch (error) {
    closeAll(copies)
    throw error
  }
}

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
    try {
      return allOrNone((copy) => this.own.map(copy))
    } catch (error) {
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
   * Other sockets, once what it returns is called, which cannot fail and gives the former ones to the caller. `places` says for each
   * which former one it continues, whose number goes on being the one that was handed out.
   */
  prepare(own: readonly OwnedFd[], places: readonly (number | undefined)[], copy: Copy): () => readonly OwnedFd[] {
    const former = this.#own
    const handedOut = this.#handedOut
    const added = own.map((fd, at) => (handedOut && places[at] === undefined ? copy(fd) : undefined))
    return () => {
      this.#own = own
      this.#handedOut = handedOut && places.map((place, at) => handedOut[place ?? -1] ?? added[at]!.release())
      return former
    }
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
