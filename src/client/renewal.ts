// The broker has other sockets for the name than the lease has. They are taken as soon as this process can: until then the former ones
// serve, and because the broker ends those after a while it is asked again and again.

import { type Answer, closeAll } from './answers.ts'
import { systemFailure } from './failures.ts'
import { checkSockets, type ReceivedSockets } from './received-sockets.ts'

const RETRY_MS = 500

export interface Renewed {
  readonly name: string
  /** Asks the broker for the sockets that there are now. */
  fetch(): Promise<ReceivedSockets>
  /** Takes all of them, or throws and has taken none. */
  take(received: ReceivedSockets): void
}

export class Renewal {
  readonly #lease: Renewed
  /** Counts what has made an answer that is still to come out of date. */
  #turn = 0
  #retry: NodeJS.Timeout | undefined
  #warned = false
  #over = false

  constructor(lease: Renewed) {
    this.#lease = lease
  }

  /** What a `replaced` event brought. */
  hear(event: Answer): void {
    if (this.#over) return closeAll(event.fds)
    this.#turn++
    clearTimeout(this.#retry)
    if (event.fdsLost) {
      closeAll(event.fds)
      return this.fetch()
    }
    try {
      this.#take(checkSockets(event))
    } catch (error) {
      this.#tryLater(error)
    }
  }

  /** The broker may have other sockets than the lease. */
  fetch(): void {
    if (this.#over) return
    const turn = ++this.#turn
    const current = () => turn === this.#turn
    clearTimeout(this.#retry)
    this.#lease
      .fetch()
      .then((received) => (current() ? this.#take(received) : closeAll(received.fds)))
      .catch((error) => current() && this.#tryLater(error))
  }

  close(): void {
    this.#over = true
    this.#turn++
    clearTimeout(this.#retry)
  }

  #take(received: ReceivedSockets): void {
    try {
      this.#lease.take(received)
      this.#warned = false
    } catch (error) {
      closeAll(received.fds)
      throw systemFailure('there is no taking them', error)
    }
  }

  #tryLater(error: unknown): void {
    this.#retry = setTimeout(() => this.fetch(), RETRY_MS).unref()
    if (this.#warned) return
    this.#warned = true
    const { name } = this.#lease
    process.emitWarning(
      `fd-broker: the new sockets of ${name} are not here, and are asked for until they are: ${(error as Error).message}`,
    )
  }
}
