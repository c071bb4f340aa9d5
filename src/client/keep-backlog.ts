// Node listens again on a descriptor that it is given, with a backlog of 511 (listen(2) on a shared socket changes it for all).
// Who calls `server.listen(lease)` leaves no room to say otherwise, so the broker's value is set back right after.

import type { SocketDescription } from '../protocol/messages.ts'
import { restoreBacklog } from '../sys/index.ts'
import type { Descriptors } from './descriptors.ts'

/** Called when a number is handed out: `server.listen(lease)` listens in the same turn of the loop. */
export function keepBacklog(descriptors: Descriptors, sockets: readonly SocketDescription[]): void {
  setImmediate(() => {
    if (descriptors.closed) return
    for (const [at, { backlog }] of sockets.entries()) {
      const fd = descriptors.own[at]
      if (fd !== undefined) restoreBacklog(fd.fd, backlog)
    }
  })
}
