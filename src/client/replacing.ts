// A lease's sockets are replaced: what its servers listen on, the numbers that were handed out, and what the lease says of itself.

import type { SocketDescription } from '../protocol/messages.ts'
import type { OwnedFd } from '../sys/index.ts'
import { closeAll } from './answers.ts'
import type { Descriptors } from './descriptors.ts'
import type { Listening } from './listening.ts'
import { matchSockets } from './match-sockets.ts'
import { Turns } from './turns.ts'

/** As long as the broker itself waits for who comes late: a lost SYN is sent again after a second. */
const TCP_QUIET_MS = 2000
const LOCAL_QUIET_MS = 200

export class Replacing {
  readonly #descriptors: Descriptors
  readonly #listening: Listening
  /** By the place of the socket that is current. */
  #turns: (Turns | undefined)[] = []

  constructor(descriptors: Descriptors, listening: Listening) {
    this.#descriptors = descriptors
    this.#listening = listening
  }

  replace(former: readonly SocketDescription[], next: readonly SocketDescription[], fds: readonly OwnedFd[]): void {
    const places = matchSockets(former, next)
    const before = this.#turns
    this.#turns = places.map((place, at) => {
      if (place === undefined) return undefined
      if (former[place]!.cookie === next[at]!.cookie) return before[place]
      const turns = before[place] ?? this.#turnsAt(place)
      const quiet =
        next[at]!.type === 'tcp' && next[at]!.address === former[place]!.address ? TCP_QUIET_MS : LOCAL_QUIET_MS
      turns?.succeed(fds[at]!.dup(), quiet)
      return turns
    })
    for (const turns of before) if (turns && !this.#turns.includes(turns)) turns.close()
    closeAll(this.#descriptors.replace(fds, places))
    this.#listening.rearrange(next, places)
  }

  close(): void {
    for (const turns of this.#turns) turns?.close()
    this.#turns = []
  }

  /** Undefined where nobody uses the socket yet. */
  #turnsAt(place: number): Turns | undefined {
    const handedOut = this.#descriptors.handedOut(place)
    const numbers = [...this.#listening.numbers(place), ...(handedOut === undefined ? [] : [handedOut])]
    return numbers.length === 0 ? undefined : new Turns(numbers, this.#descriptors.own[place]!.dup())
  }
}
