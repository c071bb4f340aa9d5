// What of this process listens on a lease's sockets: which servers fit, and how they stop.

import { Socket as DatagramSocket } from 'node:dgram'
import { Server as StreamServer } from 'node:net'
import { BrokerError } from '../protocol/errors.ts'
import type { SocketDescription } from '../protocol/messages.ts'
import type { OwnedFd } from '../sys/index.ts'
import { within } from './abort.ts'
import { isClusterWorker } from './cluster-worker.ts'
import { openDatagram } from './datagram-server.ts'
import type { Descriptors } from './descriptors.ts'
import { socketFault } from './received-sockets.ts'
import { type Opened, openStream } from './stream-server.ts'

/** net, tls, http, https and http2 servers are all net.Server. */
export type Server = StreamServer | DatagramSocket

export class Listening {
  readonly #name: string
  #sockets: readonly SocketDescription[]
  readonly #descriptors: Descriptors
  readonly #opened = new Set<Opened>()

  constructor(name: string, sockets: readonly SocketDescription[], descriptors: Descriptors) {
    this.#name = name
    this.#sockets = sockets
    this.#descriptors = descriptors
  }

  async start(server: Server, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const open = this.#opener(server)
    this.#assertSound()
    const opened = open(this.#descriptors.copies())
    this.#opened.add(opened)
    try {
      await within(opened.listening, { signal })
    } catch (error) {
      this.#opened.delete(opened)
      opened.stop()
      throw error
    }
  }

  /** The numbers under which servers have the socket at that place. */
  numbers(place: number): number[] {
    return [...this.#opened].flatMap(({ numbers }) => numbers[place] ?? [])
  }

  /** The lease has other sockets now; `places` says for each which former one it is or succeeds. */
  rearrange(sockets: readonly SocketDescription[], places: readonly (number | undefined)[]): void {
    this.#sockets = sockets
    const backlogs = sockets.map(({ backlog }) => backlog)
    for (const opened of this.#opened) {
      const more = places.map((place, at) => (place === undefined ? this.#descriptors.own[at]!.dup() : undefined))
      opened.rearrange(places, more, backlogs)
    }
  }

  /** Stops accepting; connections live on. */
  stop(): void {
    for (const { stop } of this.#opened) stop()
    this.#opened.clear()
  }

  /** For `fd`, which is one number, and which Node opens in the primary when a cluster worker listens on it. */
  assertOneSocket(): void {
    const { length } = this.#sockets
    if (length !== 1)
      throw this.#invalid(`it has ${length} sockets, so no single fd: use lease.listen(server), or lease.fds`)
    if (isClusterWorker()) {
      throw this.#invalid('a cluster worker must not listen on a descriptor number: use lease.listen(server)')
    }
  }

  #opener(server: Server) {
    if (server instanceof StreamServer) {
      this.#assertStream(server)
      return (fds: readonly OwnedFd[]) => openStream(server, fds, this.#sockets)
    }
    if (server instanceof DatagramSocket) {
      this.#assertDatagram(server)
      return (fds: readonly OwnedFd[]) => openDatagram(server, fds[0]!)
    }
    throw this.#invalid(
      'listen() takes a net, tls, http, https or http2 server, or a node:dgram socket; ' +
        'of a framework, its server: app.server (fastify), http.createServer(app) (express), createServer(app.callback()) (koa)',
    )
  }

  #assertStream(server: StreamServer): void {
    const wrong = this.#sockets.find(({ type }) => type !== 'tcp' && type !== 'unix')
    if (wrong)
      throw this.#invalid(`a ${server.constructor.name} cannot serve its ${wrong.type} socket ${wrong.address}`)
    if (server.listening) throw this.#invalid('the server listens already: give listen() one that does not')
    if (isClusterWorker() && this.#sockets.some(({ type }) => type === 'unix')) {
      throw this.#invalid(
        'Node cannot serve a received Unix socket in a cluster worker: acquire it in a process of its own',
      )
    }
  }

  #assertDatagram(server: DatagramSocket): void {
    const wrong = this.#sockets.find(({ type }) => type !== 'udp')
    if (wrong) throw this.#invalid(`a node:dgram socket cannot serve its ${wrong.type} socket ${wrong.address}`)
    const { length } = this.#sockets
    if (length !== 1)
      throw this.#invalid(`one node:dgram socket cannot serve ${length} udp sockets: give each a name of its own`)
    const { address } = this.#sockets[0]!
    const family = address.startsWith('udp://[') ? 'udp6' : 'udp4'
    const { type } = server as unknown as { type: string }
    if (type !== family) throw this.#invalid(`a ${type} socket cannot serve ${address}: use createSocket('${family}')`)
  }

  /** Node would bind or listen on whatever it is given: a socket that was shut down, say, on a random port. */
  #assertSound(): void {
    for (const [at, socket] of this.#sockets.entries()) {
      const fault = socketFault(this.#descriptors.own[at]!.fd, socket)
      if (fault) throw new BrokerError('SYSTEM', `${socket.address} of ${this.#name} cannot be served: ${fault}`)
    }
  }

  #invalid(why: string): BrokerError {
    return new BrokerError('INVALID', `${this.#name}: ${why}`)
  }
}
