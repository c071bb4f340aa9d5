// A node:dgram socket on a received descriptor. libuv turns SO_REUSEADDR on (uv_udp_open), which on Linux lets any other socket
// of the same user bind the port and take the datagrams: it is set back in the same turn of the loop.

import type { Socket } from 'node:dgram'
import { constants as C } from '../sys/addon.ts'
import type { OwnedFd } from '../sys/owned-fd.ts'
import { getInt, setInt } from '../sys/sockopt.ts'
import { awaitListening } from './await-listening.ts'
import type { Opened } from './stream-server.ts'

/** The descriptor is the socket's from now on, or closed. */
export function openDatagram(socket: Socket, fd: OwnedFd): Opened {
  let closed = false
  socket.once('close', () => {
    closed = true
  })
  const stop = () => {
    if (!closed) socket.close()
  }
  const listening = awaitListening(socket, () => {
    try {
      const reuse = getInt(fd.fd, C.SOL_SOCKET, C.SO_REUSEADDR)
      // `exclusive`: a cluster worker would otherwise open the number in the primary.
      socket.bind({ fd: fd.fd, exclusive: true })
      setInt(fd.fd, C.SOL_SOCKET, C.SO_REUSEADDR, reuse)
      fd.release()
    } catch (error) {
      fd.close()
      throw error
    }
  })
  return { listening, stop }
}
