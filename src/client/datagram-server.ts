// A node:dgram socket on a received descriptor. libuv turns SO_REUSEADDR on (uv_udp_open), which on Linux lets any other socket
// of the same user bind the port and take the datagrams: it is set back in the same turn of the loop.

import type { Socket } from 'node:dgram'
import { keepReuseAddress, type OwnedFd } from '../sys/index.ts'
import { closeAll } from './answers.ts'
import { awaitListening } from './await-listening.ts'
import type { Opened } from './stream-server.ts'

/** The descriptor is the socket's from now on, or closed. */
export function openDatagram(socket: Socket, fd: OwnedFd): Opened {
  const number = fd.fd
  const stop = () => {
    try {
      socket.close()
    } catch {
      // The program has closed it; Node says so in no other way before the next turn.
    }
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
  return {
    listening,
    stop,
    numbers: [number],
    rearrange: (_places, more) => closeAll(more.filter((each) => each !== undefined)),
  }
}
