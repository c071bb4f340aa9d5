// How many connections the metrics may have. Anybody may connect on loopback, so who comes last is let in, in place of the one that has
// been idle for longest: nobody keeps the scraper out by connections that ask for nothing.

import type { Socket } from 'node:net'

/** Milliseconds between two tellings. */
const TELL_EVERY = 10_000

export class ConnectionRoom {
  private readonly most: number
  private readonly tell: (closed: number) => void
  /** Whether it waits for an answer. Those that have done nothing for longest first. */
  private readonly answering = new Map<Socket, boolean>()
  private closed = 0
  private told = Number.NEGATIVE_INFINITY

  /** `tell` is called at the first that is closed, and then now and then, with how many since it was called last. */
  constructor(most: number, tell: (closed: number) => void) {
    this.most = most
    this.tell = tell
  }

  enter(socket: Socket): void {
    if (this.answering.size >= this.most) this.makeRoom()
    this.answering.set(socket, false)
    socket.once('close', () => this.answering.delete(socket))
  }

  /** Its request has come (true), or been answered. */
  note(socket: Socket, answering: boolean): void {
    if (this.answering.delete(socket)) this.answering.set(socket, answering)
  }

  private makeRoom(): void {
    const sockets = [...this.answering.keys()]
    const longestIdle = sockets.find((socket) => !this.answering.get(socket)) ?? sockets[0]!
    this.answering.delete(longestIdle)
    longestIdle.destroy()
    this.closed++
    const now = performance.now()
    if (now - this.told < TELL_EVERY) return
    this.tell(this.closed)
    this.told = now
    this.closed = 0
  }
}
