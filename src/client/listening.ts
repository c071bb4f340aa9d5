// What of this process listens on a lease's sockets: which servers fit, and how they stop.

import { Socket as DatagramSocket } from 'node:dgram'
import { Server as StreamServer } from 'node:net'
import { BrokerError } from '../protocol/errors.ts'
import type { SocketDescription } from '../protocol/messages.ts'
import type { OwnedFd } from '../sys/index.ts'
import { within } from './abort.ts'
import { isClusterWorker } from './cluster-worker.ts'
import { openDatagram } from './datagram-server.ts'
import type { Copy, Descriptors } from './descriptors.ts'
import { datagramMisfit, streamMisfit } from './misfit.ts'
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
    return [...this.#opened].flatMap((opened) => opened.numberAt(place) ?? [])
  }

  /**
   * The lease has other sockets, once what it returns is called, which cannot fail; `places` says for each which former one it is or
   * succeeds.
   */
  prepare(
    sockets: readonly SocketDescription[],
    places: readonly (number | undefined)[],
    fds: readonly OwnedFd[],
    copy: Copy,
  ): () => void {
    const changes = [...this.#opened].map((opened) => {
      const heir = opened.heir(places, sockets)
      const isMore = (socket: SocketDescription, at: number) =>
        at === heir || (places[at] === undefined && opened.misfit(socket) === undefined)
      const more = sockets.map((socket, at) => (isMore(socket, at) ? copy(fds[at]!) : undefined))
      const misfits = sockets.filter((_, at) => places[at] === undefined && more[at] === undefined)
      return { opened, misfits, more }
    })
    return () => {
      this.#sockets = sockets
      for (const { opened, misfits, more } of changes) {
        for (const socket of misfits) this.#warnUnserved(socket, `${opened.misfit(socket)}; it needs a name of its own`)
        opened.rearrange(places, more, sockets)
      }
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
    const unserved = (socket: SocketDescription, why: string) => this.#warnUnserved(socket, why)
    if (server instanceof StreamServer) {
      this.#assertStream(server)
      return (fds: readonly OwnedFd[]) => openStream(server, fds, this.#sockets, unserved)
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
    this.#assertFits((socket) => streamMisfit(server, socket))
    if (server.listening) throw this.#invalid('the server listens already: give listen() one that does not')
  }

  #assertDatagram(server: DatagramSocket): void {
    this.#assertFits((socket) => datagramMisfit(server, socket))
    const { length } = this.#sockets
    if (length !== 1)
      throw this.#invalid(`one node:dgram socket cannot serve ${length} udp sockets: give each a name of its own`)
  }

  #assertFits(misfit: (socket: SocketDescription) => string | undefined): void {
    for (const socket of this.#sockets) {
      const why = misfit(socket)
      if (why !== undefined) throw this.#invalid(why)
    }
  }

  /** Node would bind or listen on whatever it is given: a socket that was shut down, say, on a random port. */
  #assertSound(): void {
    for (const [at, socket] of this.#sockets.entries()) {
      const fault = socketFault(this.#descriptors.own[at]!.fd, socket)
      if (fault) throw new BrokerError('SYSTEM', `${socket.address} of ${this.#name} cannot be served: ${fault}`)
    }
  }

  /** The name has got a socket on which nobody listens here: its clients wait for another worker. */
  #warnUnserved({ address }: SocketDescription, why: string): void {
    process.emitWarning(`fd-broker: ${this.#name} has got ${address}, which is not served here: ${why}`)
  }

  #invalid(why: string): BrokerError {
    return new BrokerError('INVALID', `${this.#name}: ${why}`)
  }
}
