// Messages of process-bound holders from their notify socket, in the words of sd_notify(3).

import type { Cause } from './lease-actions.ts'
import { fire } from './lease-life.ts'
import type { LeaseEvent } from './lease-table.ts'
import type { Lease } from './registry.ts'
import type { Turn } from './turn.ts'
import type { CoreEvent, NotifyMessage } from './types.ts'

type NotifyEvent = Extract<CoreEvent, { type: 'notify' }>

const EVENTS: Record<NotifyMessage['kind'], LeaseEvent> = {
  READY: 'ready',
  STOPPING: 'stopping',
  STATUS: 'status',
  WATCHDOG: 'ping',
  MAINPID: 'move',
}

export function notify(turn: Turn, { target, message }: NotifyEvent): void {
  for (const lease of leasesBehind(turn, target)) fire(turn, lease, EVENTS[message.kind], causeOf(message))
}

function leasesBehind({ registry }: Turn, target: NotifyEvent['target']): Lease[] {
  if ('lease' in target) {
    const lease = registry.leases.get(target.lease)
    return lease?.asked.bind === 'process' ? [lease] : []
  }
  const leases = [...(registry.byConnection.get(target.connection) ?? [])]
  return leases.filter(({ asked }) => asked.bind === 'process' && asked.connection === target.connection)
}

function causeOf(message: NotifyMessage): Cause {
  if (message.kind === 'STATUS') return { text: message.text }
  if (message.kind === 'MAINPID') return { holder: message.holder }
  return {}
}
