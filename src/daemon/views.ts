// What `list` and `stats` show: the core's figures beside what the kernel says at the moment of asking.

import { listView } from '../core/views.ts'
import type { NameView } from '../protocol/messages.ts'
import type { Host } from './host.ts'

/** Each is looked at when its turn comes: a thousand looks take longer than others should wait. */
export function* nameViews({ registry, sockets, guard }: Host): Generator<NameView> {
  for (const core of listView(registry)) {
    const { name } = core
    const view: NameView = Object.assign(core, { sockets: sockets.figures(name) })
    if (guard.isLost(name)) Object.assign(view, { state: 'lost' }, guard.lost.who(name))
    else showRepair(view, guard.reports.repairedAt(name))
    yield view
  }
}

/** `lost` goes before all others; `repaired` goes before `idle` and `ok`, and after what else a name can be. */
function showRepair(view: NameView, repairedAt: number | undefined): void {
  if (repairedAt === undefined) return
  view.repairedAt = repairedAt
  if (view.state === 'ok' || view.state === 'idle') view.state = 'repaired'
}

/** Counters since the start; `uptime` in milliseconds. */
export function statistics(broker: Host): Record<string, unknown> {
  const names = [...listView(broker.registry)]
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
