// What each socket is to be like: as the broker before wrote down; as it is, where this broker has just bound it or a service manager has set
// its options; as configured, where a holder may have changed it while no guard looked.

import { type BoundSocket, GuardedSocket } from '../sys/index.ts'
import type { NameModel } from './config/model.ts'
import { optionsFor } from './config/options-for.ts'
import type { SocketsAhead } from './sockets-ahead.ts'
import type { ExpectedOptions } from './state/expected-options.ts'

interface Noted {
  readonly socket: BoundSocket
  readonly guarded: GuardedSocket
  /** The revision of what the next broker will find. */
  noted: number
}

export class Baselines {
  private readonly expected: ExpectedOptions
  private readonly ahead: SocketsAhead | undefined
  /** That some holder may have had by now. */
  private readonly met = new WeakSet<BoundSocket>()

  constructor(expected: ExpectedOptions, ahead?: SocketsAhead) {
    this.expected = expected
    this.ahead = ahead
  }

  /** Each time that a socket is there, guarded or not: whether how it is tells how it is to be. */
  meets(socket: BoundSocket): boolean {
    const fresh = socket.origin === undefined && !this.met.has(socket)
    this.met.add(socket)
    return fresh || socket.origin === 'passed'
  }

  guardedOf(socket: BoundSocket, model: NameModel, isAsItWas: boolean): Omit<Noted, 'socket'> {
    const { backlog } = model
    const former = this.expected.take(socket.cookie)
    const configured = isAsItWas || former !== undefined ? undefined : optionsFor(model, socket.address)
    const ahead = former === undefined ? undefined : this.ahead?.guardedOf(socket, former)
    const guarded =
      ahead ?? new GuardedSocket({ fd: socket.fd.fd, address: socket.address, backlog, configured }, former)
    return { guarded, noted: guarded.expected === former ? guarded.revision : -1 }
  }

  /** Before anybody gets the socket, and when more is allowed than before. */
  note(watched: Noted): void {
    const { guarded, socket } = watched
    if (guarded.revision === watched.noted) return
    watched.noted = guarded.revision
    this.expected.note(socket.cookie, guarded.expected)
  }

  drop(socket: BoundSocket): void {
    this.expected.drop(socket.cookie)
  }
}
