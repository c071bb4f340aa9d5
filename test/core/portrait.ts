// A registry as a text, without what a restart of the broker loses: connections, waiters, and the times of timers that it shifts.

import type { Lease, Name, Registry } from '../../src/core/registry.ts'

export function portrait(registry: Registry): string {
  const { names, leases, byProcess, byGeneration, pursuits, timers, nextLease, nextGeneration } = registry
  const processes = [...byProcess].map(([process, set]) => [process, ids(set).sort((a, b) => a - b)] as const)
  return JSON.stringify(
    {
      nextLease,
      nextGeneration,
      names: [...names].map(([key, name]) => [key, portraitOfName(name)]).sort(),
      leases: [...leases.values()].map(portraitOfLease).sort((a, b) => a.id - b.id),
      processes: processes.filter(([, set]) => set.length > 0).sort(([a], [b]) => a - b),
      byGeneration: [...byGeneration].map(([seq, name]) => [seq, name.config.name]).sort(),
      pursuits: [...pursuits.values()].sort((a, b) => a.lease - b.lease),
      timers: [...timers.keys()].filter((key) => !/^(wait|reclaim)\//.test(key)).sort(),
    },
    sorted,
    1,
  )
}

/** The order of keys means nothing. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Waiters have no number yet. */
const ids = (leases: Iterable<Lease>) => [...leases].map(({ id }) => id).filter((id) => id > 0)

function portraitOfName({ config, current, generations, pending, superseded, unsettled, ...name }: Name): unknown {
  return {
    config,
    current: current.label,
    pending: [...pending].map(({ seq }) => seq),
    generations: [...generations].map(({ leases, lastEnd: _, ...generation }) => ({
      ...generation,
      leases: ids(leases).sort((a, b) => a - b),
    })),
    superseded: [...superseded],
    unsettled: ids(unsettled).sort((a, b) => a - b),
    paused: name.paused,
    removed: name.removed,
    draining: name.draining,
    nextLabel: name.nextLabel,
  }
}

function portraitOfLease({ id, name, asked, state, since, holder, generation, serving, draining, status }: Lease) {
  const { bind, label, drainSignal, readyAfter } = asked
  const { config } = name
  const own = { bind, label, drainSignal, readyAfter }
  return { id, name: config.name, own, state, since, holder, generation: generation?.seq, serving, draining, status }
}
