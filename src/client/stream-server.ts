// A net.Server on received sockets. Node's facts (20 to 26): `listen({fd, backlog})` ignores the backlog and listens with 511,
// `listen({fd}, backlog)` does not; in a cluster worker `listen({fd})` opens that number in the primary, but a TCP handle is
// taken as it is, and a net.Socket carries one.

import { Server, Socket } from 'node:net'
import type { SocketDescription } from '../protocol/messages.ts'
import { idleDescriptor, type OwnedFd } from '../sys/index.ts'
import { closeAll } from './answers.ts'
import { awaitListening } from './await-listening.ts'
import { isClusterWorker } from './cluster-worker.ts'
import { ExtraListeners } from './extra-listeners.ts'
import { streamMisfit } from './misfit.ts'
import { retireNumber } from './retire.ts'

export interface Opened {
  listening: Promise<void>
  /** Stops accepting; connections live on. */
  stop: () => void
  /** The number under which the server has the socket at that place, if it has it; it closes them itself. */
  numberAt(place: number): number | undefined
  /** Why it cannot serve one more such socket; undefined when it can. */
  misfit(socket: SocketDescription): string | undefined
  /** Of the sockets that the lease has from now on, one that is to come with a descriptor although it had it before. */
  heir(places: readonly (number | undefined)[], sockets: readonly SocketDescription[]): number | undefined
  /**
   * The sockets have changed: `places` says for each which former one it is; of the others those that it can serve come with a
   * descriptor, which is the server's now.
   */
  rearrange(
    places: readonly (number | undefined)[],
    fds: readonly (OwnedFd | undefined)[],
    sockets: readonly SocketDescription[],
  ): void
}

interface Listener {
  server: Server
  number: number
}

/**
 * Puts the sockets behind one server. The descriptors are the server's from now on, or closed. `unserved` hears of each that comes
 * later and cannot be listened on.
 */
export function openStream(
  server: Server,
  fds: readonly OwnedFd[],
  sockets: readonly SocketDescription[],
  unserved: (socket: SocketDescription, why: string) => void,
): Opened {
  const extras = new ExtraListeners(server, fds.length - 1)
  let listeners: (Listener | undefined)[] = [server, ...extras.servers].map((each, at) => ({
    server: each,
    number: fds[at]!.fd,
  }))
  const stop = () => {
    extras.close()
    // Not http's close(), which also drops idle connections: a request may be on its way on them.
    if (server.listening) Server.prototype.close.call(server)
  }
  const all = listeners.map((each, at) => open(each!.server, fds[at]!, sockets[at]!.backlog))
  const listening = Promise.all(all).then(
    () => {},
    (error) => {
      stop()
      closeAll(fds)
      throw error
    },
  )
  return {
    listening,
    stop,
    numberAt: (place) => listeners[place]?.number,
    misfit: (socket) => streamMisfit(server, socket),
    heir: () => undefined,
    rearrange(places, more, sockets) {
      const former = listeners
      listeners = places.map((place, at) => (place === undefined ? oneMore(more[at], sockets[at]!) : former[place]))
      for (const each of former) if (each !== undefined && !listeners.includes(each)) retire(each)
    },
  }

  function oneMore(fd: OwnedFd | undefined, socket: SocketDescription): Listener | undefined {
    if (fd === undefined || !server.listening) {
      fd?.close()
      return undefined
    }
    const extra = { server: extras.add(), number: fd.fd }
    open(extra.server, fd, socket.backlog).catch((error) => {
      fd.close()
      if (!server.listening) return
      listeners = listeners.map((each) => (each === extra ? undefined : each))
      extras.remove(extra.server)
      unserved(socket, error.message)
    })
    return extra
  }

  /** The program's own server must go on listening, so it is left with a number on which nobody ever comes. */
  function retire(listener: Listener): void {
    const { server: retiring, number } = listener
    const end = retiring === server ? () => idleDescriptor(number) : () => extras.remove(retiring)
    retireNumber(number, () => retiring.listening, end)
  }
}

function open(server: Server, fd: OwnedFd, backlog: number): Promise<void> {
  return awaitListening(server, () =>
    fd.giveTo((number) => {
      if (isClusterWorker()) server.listen(new Socket({ fd: number, readable: false, writable: false }), backlog)
      else server.listen({ fd: number }, backlog)
    }),
  )
}
