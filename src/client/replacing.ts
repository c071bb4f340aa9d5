// A lease's sockets are replaced: what its servers listen on, the numbers that were handed out, and what the lease says of itself.

import type { SocketDescription } from '../protocol/messages.ts'
import { findEpolls, type OwnedFd } from '../sys/index.ts'
import { closeAll } from './answers.ts'
import { allOrNone, type Copy, type Descriptors } from './descriptors.ts'
import type { Listening } from './listening.ts'
import { matchSockets } from './match-sockets.ts'
import { Turns } from './turns.ts'

/** As long as the broker itself waits for who comes late: a lost SYN is sent again after a second. */
const TCP_QUIET_MS = 2000
const LOCAL_QUIET_MS = 200

interface Succession {
  turns: Turns | undefined
  succeed?: (epolls: readonly number[]) => void
}

export class Replacing {
  readonly #descriptors: Descriptors
  readonly #listening: Listening
  /** By the place of the socket that is current. */
  #turns: (Turns | undefined)[] = []

  constructor(descriptors: Descriptors, listening: Listening) {
    this.#descriptors = descriptors
    this.#listening = listening
  }

  /** `fds` are the lease's from now on. Throws SystemError before anything has changed, when the table is full. */
  replace(former: readonly SocketDescription[], next: readonly SocketDescription[], fds: readonly OwnedFd[]): void {
    const places = matchSockets(former, next)
    const { successions, putOwn, rearrange, epolls } = allOrNone((copy) => {
      const successions = places.map((place, at) =>
        this.#succession(place, former[place ?? -1], next[at]!, fds[at]!, copy),
      )
      const putOwn = this.#descriptors.prepare(fds, places, copy)
      const rearrange = this.#listening.prepare(next, places, fds, copy)
      // Last, for it shows that a descriptor is left to look with when the numbers are swapped.
      const epolls = successions.some(({ succeed }) => succeed) ? findEpolls() : []
      return { successions, putOwn, rearrange, epolls }
    })
    const before = this.#turns
    this.#turns = successions.map(({ turns }) => turns)
    for (const { succeed } of successions) succeed?.(epolls)
    for (const each of before) if (each && !this.#turns.includes(each)) each.close()
    closeAll(putOwn())
    rearrange()
  }

  close(): void {
    for (const turns of this.#turns) turns?.close()
    this.#turns = []
  }

  #succession(
    place: number | undefined,
    former: SocketDescription | undefined,
    next: SocketDescription,
    fd: OwnedFd,
    copy: Copy,
  ): Succession {
    if (place === undefined || former === undefined) return { turns: undefined }
    if (former.cookie === next.cookie) return { turns: this.#turns[place] }
    const turns = this.#turns[place] ?? this.#turnsAt(place, copy)
    if (turns === undefined) return { turns }
    const successor = copy(fd)
    return { turns, succeed: (epolls) => turns.succeed(successor, quietTime(former, next), epolls) }
  }

  /** Undefined where nobody uses the socket yet. */
  #turnsAt(place: number, copy: Copy): Turns | undefined {
    const handedOut = this.#descriptors.handedOut(place)
    const numbers = [...this.#listening.numbers(place), ...(handedOut === undefined ? [] : [handedOut])]
    return numbers.length === 0 ? undefined : new Turns(numbers, copy(this.#descriptors.own[place]!))
  }
}

function quietTime(former: SocketDescription, next: SocketDescription): number {
  return next.type === 'tcp' && next.address === former.address ? TCP_QUIET_MS : LOCAL_QUIET_MS
}
