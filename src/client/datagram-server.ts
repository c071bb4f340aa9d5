// A node:dgram socket on a received descriptor. libuv turns SO_REUSEADDR on (uv_udp_open), which on Linux lets any other socket
// of the same user bind the port and take the datagrams: it is set back in the same turn of the loop.

import type { Socket } from 'node:dgram'
import { idleDescriptor, keepReuseAddress, type OwnedFd } from '../sys/index.ts'
import { awaitListening } from './await-listening.ts'
import { datagramMisfit } from './misfit.ts'
import { retireNumber } from './retire.ts'
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
      keepReuseAddress(number, () => fd.giveTo(() => socket.bind({ fd: number, exclusive: true })))
    } catch (error) {
      fd.close()
      throw error
    }
  })
  let numbers: readonly (number | undefined)[] = [number]
  return {
    listening,
    stop,
    get numbers() {
      return numbers
    },
    misfit: (one) => datagramMisfit(socket, one) ?? 'a node:dgram socket reads one socket',
    rearrange(places) {
      const had = numbers.includes(number)
      numbers = places.map((place) => (place === undefined ? undefined : numbers[place]))
      if (had && !numbers.includes(number))
        retireNumber(
          number,
          () => isOpen(socket),
          () => idleDescriptor(number),
        )
    },
  }
}

/** Node says it in no other way in the turn in which the socket is closed. */
function isOpen(socket: Socket): boolean {
  try {
    socket.address()
    return true
  } catch {
    return false
  }
}
