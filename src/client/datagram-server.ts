// A node:dgram socket on a received descriptor. libuv turns SO_REUSEADDR on (uv_udp_open), which on Linux lets any other socket
// of the same user bind the port and take the datagrams: it is set back in the same turn of the loop.

import type { Socket } from 'node:dgram'
import { findEpolls, idleDescriptor, keepReuseAddress, type OwnedFd, swapDescriptor } from '../sys/index.ts'
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
  /** The place of the socket that it reads. */
  let own: number | undefined = 0
  return {
    listening,
    stop,
    numberAt: (place) => (place === own ? number : undefined),
    misfit: (one) => datagramMisfit(socket, one) ?? 'a node:dgram socket reads one socket',
    /** The one that it reads next when its own goes without a successor. */
    heir(places, sockets) {
      if (own !== undefined && places.includes(own)) return undefined
      return placeOf(sockets.findIndex((each) => datagramMisfit(socket, each) === undefined))
    },
    rearrange(places, more) {
      const heir = placeOf(more.findIndex((each) => each !== undefined))
      const former = own
      own = heir ?? (former === undefined ? undefined : placeOf(places.indexOf(former)))
      if (heir !== undefined) readNext(more[heir]!)
      else if (former !== undefined && own === undefined) retireNumber(number, isOpen, () => idleDescriptor(number))
    },
  }

  /** What waits at the former one is read before. */
  function readNext(next: OwnedFd): void {
    const isWanted = () => {
      if (isOpen()) return true
      next.close()
      return false
    }
    retireNumber(number, isWanted, () => {
      swapDescriptor(next.fd, number, findEpolls())
      next.close()
    })
  }

  /** Node says it in no other way in the turn in which the socket is closed. */
  function isOpen(): boolean {
    try {
      socket.address()
      return true
    } catch {
      return false
    }
  }
}

/** What is found nowhere has no place. */
const placeOf = (index: number): number | undefined => (index < 0 ? undefined : index)
