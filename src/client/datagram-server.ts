// A node:dgram socket on a received descriptor. libuv turns SO_REUSEADDR on (uv_udp_open), which on Linux lets any other socket
// of the same user bind the port and take the datagrams: it is set back in the same turn of the loop.

import type { Socket } from 'node:dgram'
import { keepReuseAddress, type OwnedFd } from '../sys/index.ts'
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
      // `exclusive`: a cluster worker would otherwise open the number in the primary.
      keepReuseAddress(fd.fd, () => socket.bind({ fd: fd.fd, exclusive: true }))
      fd.release()
    } catch (error) {
      fd.close()
      throw error
    }
  })
  return { listening, stop }
}
