// Who may name a lease: the connection that it was taken on; a process-bound one, any connection of its process.

import type { ErrorCode } from '../protocol/errors.ts'
import { deniedLeaseMessage, endedMessage, movedMessage } from './messages.ts'
import type { Lease, Registry } from './registry.ts'
import type { ConnectionId, ProcessKey } from './types.ts'

export interface Namer {
  connection: ConnectionId
  process?: ProcessKey
}

/** The lease of that id, live or ended, when it is this connection's to name. */
export function findOwn(registry: Registry, id: number, { connection, process }: Namer): Lease | undefined {
  const lease = registry.leases.get(id) ?? registry.ended.get(id)
  if (lease === undefined) return undefined
  const { asked, holder } = lease
  const own = asked.connection === connection || (asked.bind === 'process' && holder.process === process)
  return own ? lease : undefined
}

/** A live lease of one's own, or the refusal that says why there is none. */
export function ownLiveLease(
  registry: Registry,
  id: number,
  namer: Namer,
): Lease | { code: ErrorCode; message: string } {
  const lease = findOwn(registry, id, namer)
  if (lease === undefined) return notOwn(registry, id, namer)
  return lease.state === 'ended' ? { code: 'ENDED', message: endedMessage(lease) } : lease
}

/** What is not one's own is DENIED; what was one's own until another connection reclaimed it, ENDED. */
export function notOwn(registry: Registry, id: number, { connection }: Namer): { code: ErrorCode; message: string } {
  const lease = registry.leases.get(id)
  if (lease?.former?.has(connection)) return { code: 'ENDED', message: movedMessage(lease) }
  return { code: 'DENIED', message: deniedLeaseMessage(id) }
}
