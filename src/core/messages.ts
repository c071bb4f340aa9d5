// What the core says when it refuses: what happened, and what the reader can do.

import type { Lease } from './registry.ts'
import type { EndReason } from './types.ts'

/** The same bytes for a name that is not allowed and for one that does not exist: the shell masks NOT_FOUND by it. */
export function deniedMessage(name: string): string {
  return `not allowed to use ${JSON.stringify(name)}, or there is no such name: check the name, and \`allow\` of [sockets.${name}] in the broker's config`
}

export function unjudgedMessage(name: string, why = 'something is short'): string {
  return `the broker cannot see now who asks for ${JSON.stringify(name)}: ${why}; ask again`
}

/** The same bytes for another's lease and for one that does not exist. */
export function deniedLeaseMessage(lease: number): string {
  return `lease ${lease} is not one of yours, or does not exist: name a lease that this connection acquired`
}

/** The same bytes for another's lease, for one of another name and for one that does not exist. */
export function deniedReclaimMessage(lease: number, name: string): string {
  return `lease ${lease} on ${JSON.stringify(name)} is not one of this process's, or does not exist: acquire again`
}

export function unknownNameMessage(name: string): string {
  return `there is no name ${JSON.stringify(name)}: \`fd-broker list\` shows the names`
}

export function unknownLeaseMessage(lease: number): string {
  return `there is no lease ${lease}: \`fd-broker holders\` shows the leases`
}

const ENDINGS: Record<EndReason, string> = {
  released: 'it was released',
  died: 'its process or connection ended',
  expired: 'it was not ready in time: send `ready` sooner, or raise ready_timeout',
  evicted: 'its holder missed its watchdog or did not read from the broker',
  revoked: 'it was taken away',
}

export function endedMessage(lease: Lease): string {
  return `lease ${lease.id} is over: ${ENDINGS[lease.ended ?? 'revoked']}; acquire again`
}

export function movedMessage({ id }: Lease): string {
  return `lease ${id} was reclaimed on another connection of this process: use that one`
}

export function drainedMessage(lease: Lease): string {
  return `lease ${lease.id} was asked to drain before it was ready: do not accept, release it`
}

export function lostMessage(name: string, why: string): string {
  return `${JSON.stringify(name)} is lost: ${why}; it is tried again each second: ask with \`wait\` to have it then`
}

export function timeoutMessage({ asked, name }: Lease): string {
  const waited = `waited ${asked.wait} ms for ${JSON.stringify(asked.name)}`
  if (name.lost !== undefined) return `${waited}, which is lost: ${name.lost}; or wait longer`
  return `${waited}: wait longer, or see \`fd-broker holders ${asked.name}\``
}

export function supersededMessage(label: string, by: string): string {
  return `generation ${label} was superseded by ${by}: start the newer release, or ask with \`takeover\` to go back on purpose`
}

export const SHUTTING_DOWN = 'the broker is shutting down: ask again when it is back'
