// The descriptors of a grant: all of them, and each the socket that the broker says it is. A wrong one is never handed on.

import { BrokerError } from '../protocol/errors.ts'
import type { SocketDescription } from '../protocol/messages.ts'
import { identifySocket, type OwnedFd } from '../sys/index.ts'
import { type Answer, closeAll } from './answers.ts'
import { TABLE_FULL } from './failures.ts'
import type { LeaseLine } from './lease-line.ts'
import type { Abortable } from './options.ts'
import type { SpareFd } from './spare-fd.ts'

export interface ReceivedSockets {
  sockets: readonly SocketDescription[]
  fds: OwnedFd[]
}

/** Of these a connection is accepted; the others only have to be bound. */
const LISTENERS = new Set(['tcp', 'unix', 'unix-seqpacket', 'vsock'])

/** Takes a grant's descriptors; where the kernel dropped some, asks for them once more with the spare slot free. */
export async function receiveSockets(
  grant: Answer,
  line: LeaseLine,
  spare: SpareFd,
  { signal }: Abortable,
): Promise<ReceivedSockets> {
  if (!grant.fdsLost) return checkSockets(grant)
  closeAll(grant.fds)
  return fetchSockets(line, spare, { signal })
}

/** Asks for the sockets that a lease has now, with the spare slot free. */
export async function fetchSockets(line: LeaseLine, spare: SpareFd, { signal }: Abortable): Promise<ReceivedSockets> {
  const again = await spare.lend(() => line.request('sockets', { signal }))
  if (!again.fdsLost) return checkSockets(again)
  const why = spare.keep() ? 'a security module of the kernel refused them to this process' : TABLE_FULL
  closeAll(again.fds)
  spare.keep()
  throw new BrokerError('SYSTEM', `the descriptors of the lease could not be received: ${why}`)
}

/** Takes the descriptors of an answer, or of an event, that has all of them. */
export function checkSockets({ message, fds }: Answer): ReceivedSockets {
  try {
    const sockets = message.sockets as SocketDescription[]
    if (!Array.isArray(sockets) || sockets.length !== fds.length) {
      throw new BrokerError(
        'PROTOCOL',
        `the broker sent ${fds.length} descriptors, not one for each socket of the lease`,
      )
    }
    for (const [at, socket] of sockets.entries()) {
      const fault = socketFault(fds[at]!.fd, socket)
      if (fault) throw new BrokerError('SYSTEM', `the broker sent a wrong descriptor for ${socket.address}: ${fault}`)
    }
    return { sockets, fds }
  } catch (error) {
    closeAll(fds)
    throw error
  }
}

/** How a descriptor differs from its description, or undefined when it does not. */
export function socketFault(fd: number, { type, cookie }: SocketDescription): string | undefined {
  try {
    const found = identifySocket(fd)
    if (found.type !== type) return `it is not a ${type} socket`
    if (found.cookie !== cookie) return `its SO_COOKIE is ${found.cookie}, not ${cookie}`
    if (LISTENERS.has(type) && !found.listening) return 'it does not listen (SO_ACCEPTCONN is 0)'
  } catch (error) {
    return `it is not a socket (${(error as Error).message})`
  }
  return undefined
}
