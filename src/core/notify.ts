// Messages of process-bound holders from their notify socket, in the words of sd_notify(3).

import type { Cause } from './lease-actions.ts'
import { fire } from './lease-life.ts'
import type { LeaseEvent } from './lease-table.ts'
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

export function notify(turn: Turn, { lease: id, message }: NotifyEvent): void {
  const lease = turn.registry.leases.get(id)
  if (lease?.asked.bind === 'process') fire(turn, lease, EVENTS[message.kind], causeOf(message))
}

function causeOf(message: NotifyMessage): Cause {
  if (message.kind === 'STATUS') return { text: message.text }
  if (message.kind === 'MAINPID') return { holder: message.holder }
  return {}
}
