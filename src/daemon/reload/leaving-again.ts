// A reload that takes another one back: the address that a name gave up is still that of its old socket, which leaves.

import { type Address, formatAddress } from '../../protocol/address.ts'
import { AddressInUse, GuardedSocket, replaceFault, takeUp } from '../../sys/index.ts'
import { slot } from '../config/overlap.ts'
import { isOpen, type KeptLeavingSocket } from '../kept-leaving.ts'
import type { Settings } from './live-changes.ts'

/** What it was opened with; undefined when a name cannot have it again. */
export function stillThere({ socket, replaced, settings }: KeptLeavingSocket): Settings | undefined {
  return replaced || !isOpen(socket.fd) ? undefined : settings
}

/** Nobody has guarded it since it began to leave: what holders have changed is set back. False where that cannot be, and a new one could. */
export function setBack({ socket, settings, expected }: KeptLeavingSocket): boolean {
  const { backlog } = settings!
  takeUp(socket, backlog)
  if (expected === undefined) return true
  const findings = new GuardedSocket({ fd: socket.fd.fd, address: socket.address, backlog }, expected).inspect()
  return findings === undefined || findings.left.length === 0 || replaceFault(socket.address) !== undefined
}

/** Whoever asks why an address cannot be had is told of the broker's own old socket that is in the way. */
export function describeLeaving<T>(address: Address, left: readonly KeptLeavingSocket[], open: () => T): T {
  try {
    return open()
  } catch (error) {
    const inUse = error instanceof AddressInUse || replaceFault(address) !== undefined
    const other = left.find(({ socket }) => slotOf(socket.address) === slotOf(address))
    if (!inUse || other === undefined || slotOf(address) === undefined) throw error
    const { name, socket, until } = other
    throw new Error(
      `${formatAddress(address)} is in use by an old socket of [sockets.${name}], ${formatAddress(socket.address)}, ` +
        `which leaves by ${new Date(until).toISOString()} at the latest: reload again then`,
      { cause: error },
    )
  }
}

const slotOf = (address: Address) => slot({ address, ipv6Only: false })
