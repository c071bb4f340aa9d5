// A filter on a TCP listener decides which packets it sees, and one that is locked can be detached by nobody. Newer kernels let only
// CAP_NET_ADMIN attach one. On the others the lock comes first: it holds for whoever has the socket, the broker included, and for every
// connection that is accepted from it.

import { addon, constants as c } from './addon.ts'
import type { BoundSocket } from './listen.ts'
import { ReuseGroup } from './reuse-group.ts'

/** Whether any holder may attach a filter to a TCP listener of this kernel, found by trying without capabilities. */
export function holdersMayFilter(): boolean {
  return addon.filterProbe() === 1
}

/**
 * Nobody attaches a filter to the listener from now on. False while it must not be: a filter that is there has to be detached first; and
 * where another socket has the port too, the program that keeps the two apart counts as a filter.
 */
export function lockFilter({ fd }: BoundSocket): boolean {
  const filter = addon.getsockopt(fd.fd, c.SOL_SOCKET, c.SO_GET_FILTER, new Uint8Array(0))
  if (filter !== 0 || !ReuseGroup.isAlone(fd)) return false
  return addon.setsockopt(fd.fd, c.SOL_SOCKET, c.SO_LOCK_FILTER, 1) === 0
}
