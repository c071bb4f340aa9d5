// What `list` and `stats` show: the core's figures beside what the kernel says at the moment of asking.

import { type CoreNameView, listView } from '../core/views.ts'
import type { NameView } from '../protocol/messages.ts'
import type { Host } from './host.ts'
import { mapInSlices } from './slices.ts'

export function nameViews(broker: Host): Promise<NameView[]> {
  return mapInSlices(listView(broker.registry), (view) => ({
    ...view,
    ...repairState(broker, view),
    sockets: broker.sockets.figures(view.name),
  }))
}

/** `lost` goes before all others; `repaired` goes before `idle` and `ok`, and after what else a name can be. */
function repairState({ guard }: Host, { name, state }: CoreNameView): Partial<NameView> {
  if (guard.isLost(name)) return { state: 'lost', ...guard.lost.who(name) }
  const repairedAt = guard.reports.repairedAt(name)
  if (repairedAt === undefined) return {}
  return { repairedAt, ...((state === 'ok' || state === 'idle') && { state: 'repaired' }) }
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
    repairs: broker.guard.reports.counts,
    notify: { ...broker.processBound.counters, dropped: broker.processBound.dropped },
  }
}
