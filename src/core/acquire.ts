// A request for a lease: shape, existence, right, then room.

import { generationFault } from '../protocol/names.ts'
import { admit } from './admission.ts'
import { fire } from './lease-life.ts'
import { deniedMessage, unjudgedMessage, unknownNameMessage } from './messages.ts'
import { attach, hasHolder, type Lease, type Name } from './registry.ts'
import { decide, publishDenied } from './settle.ts'
import { refuse, refuseUnknown, type Turn } from './turn.ts'
import type { AcquireEvent } from './types.ts'
import { joinLine } from './waiting.ts'

export function acquire(turn: Turn, asked: AcquireEvent): void {
  const fault = shapeFault(asked)
  const name = turn.registry.names.get(asked.name)
  if (fault !== undefined) refuse(turn, asked, 'INVALID', fault)
  else if (!name || name.removed) refuseUnknown(turn, asked, unknownNameMessage(asked.name), deniedMessage(asked.name))
  else acquireName(turn, name, asked)
}

/** Policy comes before anything that would tell a stranger about the name. */
function acquireName(turn: Turn, name: Name, asked: AcquireEvent): void {
  const allowed = turn.context.allows(name.config, asked.connection)
  if (allowed === undefined)
    return refuse(turn, asked, 'SYSTEM', unjudgedMessage(asked.name, turn.context.shortage?.()))
  if (allowed) forsakeUnlisted(turn, name, asked)
  const fault = allowed ? nameFault(name, asked) : undefined
  if (!allowed) {
    refuse(turn, asked, 'DENIED', deniedMessage(asked.name))
    publishDenied(turn, name, asked)
  } else if (fault !== undefined) refuse(turn, asked, 'INVALID', fault)
  else seek(turn, createLease(turn, name, asked))
}

function seek(turn: Turn, lease: Lease): void {
  const { asked } = lease
  attach(turn.registry.byConnection, asked.connection, lease)
  attach(turn.registry.byProcess, asked.holder.process, lease)
  const verdict = admit(turn, lease)
  if (decide(turn, lease, verdict)) return
  if (verdict.kind === 'wait' && asked.wait === 0) decide(turn, lease, { ...verdict, kind: 'refuse' })
  else joinLine(turn, lease)
}

/** What its process had here before a restart of the broker and does not want back, it has no use for: it asks anew. */
function forsakeUnlisted(turn: Turn, name: Name, { holder, reclaims = [] }: AcquireEvent): void {
  for (const lease of [...(turn.registry.byProcess.get(holder.process) ?? [])]) {
    if (lease.unclaimed && lease.name === name && !reclaims.includes(lease.id)) fire(turn, lease, 'forsake')
  }
}

function shapeFault({ generation, bind, drainSignal, readyAfter }: AcquireEvent): string | undefined {
  const fault = generation === undefined ? undefined : generationFault(generation)
  if (fault !== undefined) return `\`generation\` ${fault}`
  if (bind === 'process') return undefined
  if (drainSignal !== undefined) return '`drainSignal` needs `bind: "process"`: other holders are told by event'
  if (readyAfter !== undefined) return '`readyAfter` needs `bind: "process"`: other holders send `ready`'
  return undefined
}

function nameFault(name: Name, { ready }: AcquireEvent): string | undefined {
  if (ready && name.config.mode === 'exclusive' && hasHolder(name)) {
    return '`ready` must be sent on its own for an exclusive name that has a holder: acquire without it, then send `ready`'
  }
  return undefined
}

function createLease(turn: Turn, name: Name, asked: AcquireEvent): Lease {
  return {
    id: 0,
    ticket: turn.registry.nextTicket++,
    name,
    asked,
    state: 'waiting',
    since: turn.now,
    holder: asked.holder,
    open: true,
    unclaimed: false,
    generation: undefined,
    serving: false,
    held: [],
    changed: false,
  }
}
