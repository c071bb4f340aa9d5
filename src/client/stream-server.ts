// A net.Server on received sockets. Node's facts (20 to 26): `listen({fd, backlog})` ignores the backlog and listens with 511,
// `listen({fd}, backlog)` does not; in a cluster worker `listen({fd})` opens that number in the primary, but a TCP handle is
// taken as it is, and a net.Socket carries one.

import cluster from 'node:cluster'
import { Server, Socket } from 'node:net'
import type { SocketDescription } from '../protocol/messages.ts'
import type { OwnedFd } from '../sys/index.ts'
import { closeAll } from './answers.ts'
import { awaitListening } from './await-listening.ts'
import { ExtraListeners } from './extra-listeners.ts'

export interface Opened {
  listening: Promise<void>
  /** Stops accepting; connections live on. */
  stop: () => void
}

/** Puts the sockets behind one server. The descriptors are the server's from now on, or closed. */
export function openStream(server: Server, fds: readonly OwnedFd[], sockets: readonly SocketDescription[]): Opened {
  const extras = new ExtraListeners(server, fds.length - 1)
  const stop = () => {
    extras.close()
    // Not http's close(), which also drops idle connections: a request may be on its way on them.
    if (server.listening) Server.prototype.close.call(server)
  }
  const all = [server, ...extras.servers].map((each, at) => open(each, fds[at]!, sockets[at]!.backlog))
  const listening = Promise.all(all).then(
    () => {},
    (error) => {
      stop()
      closeAll(fds)
      throw error
    },
  )
  return { listening, stop }
}

function open(server: Server, fd: OwnedFd, backlog: number): Promise<void> {
  return awaitListening(server, () => {
    if (cluster.isWorker) server.listen(new Socket({ fd: fd.fd, readable: false, writable: false }), backlog)
    else server.listen({ fd: fd.fd }, backlog)
    fd.release()
  })
}
