import type { Address } from '../protocol/address.ts'
import type { SocketOptions } from '../protocol/socket-options.ts'
import { constants as c } from './addon.ts'
import { makeSocket } from './make-socket.ts'
import { setSocketOptions } from './socket-option-rows.ts'
import { SocketSnapshot } from './socket-snapshot.ts'
import { setInt } from './sockopt.ts'

/**
 * What a socket with these options is like that no holder has changed, as SocketSnapshot.restore() takes it: read from one that nobody gets,
 * and that is bound nowhere. It says nothing of what listen() sets, which restore() leaves alone.
 */
export function untouched(address: Address, options: SocketOptions): string {
  using fd = makeSocket(address, options)
  setSocketOptions(fd.fd, address, options, 'after bind')
  // As every listener beside its anchor.
  if (address.type === 'tcp') setInt(fd.fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)
  return new SocketSnapshot(fd.fd, address).toString()
}
