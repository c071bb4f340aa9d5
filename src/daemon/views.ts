// What `list`, `holders` and `stats` show: the core's leases beside what the kernel says at the moment of asking.

import { holdersView, listView } from '../core/views.ts'
import type { HolderView, NameView } from '../protocol/messages.ts'
import type { Host } from './host.ts'

export function nameViews(broker: Host): NameView[] {
  return listView(broker.registry).map((view) => ({ ...view, sockets: broker.sockets.figures(view.name) }))
}

export function holderViews(broker: Host, name: string | undefined): HolderView[] {
  return holdersView(broker.registry, name).map(({ process, ...view }) => {
    const { command, unit } = broker.processes.facts(process)
    return {
      ...view,
      user: broker.users.of(view.uid),
      command: command ?? '',
      ...(unit === undefined ? {} : { unit }),
    }
  })
}

/** Counters since the start; `uptime` in milliseconds. */
export function statistics(broker: Host): Record<string, unknown> {
  const names = listView(broker.registry)
  const total = (state: 'granted' | 'ready' | 'draining') => names.reduce((sum, view) => sum + view.holders[state], 0)
  return {
    pid: process.pid,
    uptime: Date.now() - broker.startedAt,
    names: names.length,
    holders: { granted: total('granted'), ready: total('ready'), draining: total('draining') },
    waiting: names.reduce((sum, view) => sum + view.waiting, 0),
    connections: broker.sessions.size,
    requests: broker.counters.requests,
    grants: broker.counters.grants,
    refusals: broker.counters.refusals,
    notify: { ...broker.processBound.counters, dropped: broker.processBound.dropped },
  }
}
