// The first acts of a broker that comes after another: what that one had begun goes on.

import type { Registry } from '../../core/registry.ts'
import type { Effect } from '../../core/types.ts'
import type { Log } from '../log.ts'
import type { NotifyRecord, ProcessBound } from '../process-bound.ts'
import type { Processes } from '../processes.ts'
import type { Quotas } from '../quotas.ts'
import type { OwedSignal, Past, Restored } from './past.ts'
import type { StateLog } from './state-log.ts'

/** The parts of a broker that go on. */
export interface Resuming {
  readonly registry: Registry
  readonly processes: Processes
  readonly processBound: ProcessBound
  readonly quotas: Quotas
  readonly state: StateLog
  readonly log: Log
  perform(effect: Effect): void
}

/** Beyond reclaim_timeout nobody comes back. */
const MARGIN_MS = 1000

export function resume(broker: Resuming, { effects, used }: Restored, { folded }: Past, reclaimTimeout: number): void {
  const { registry, processBound, processes, quotas, log } = broker
  for (const effect of effects) broker.perform(effect)
  for (const lease of registry.leases.values()) {
    if (lease.asked.bind !== 'process') continue
    processBound.restore(lease, folded.values.get(`notify/${lease.id}`) as NotifyRecord | undefined)
  }
  // A connection counts for as long as it has left leases behind.
  for (const { connection, uid } of processBound.connections()) {
    if (quotas.connected(uid)) processBound.outlives(connection, () => quotas.disconnected(uid))
  }
  for (const [key, owed] of folded.values) if (key.startsWith('owed/')) send(broker, key, owed as OwedSignal)
  const leave = () => {
    for (const process of used) processes.leave(process)
  }
  setTimeout(leave, reclaimTimeout + MARGIN_MS).unref()
  if (registry.leases.size > 0) log.info({ leases: registry.leases.size }, 'the leases of the broker before go on')
}

function send({ processes, state }: Resuming, key: string, { holder, signal }: OwedSignal): void {
  const process = processes.restore(holder, undefined)
  processes.signal(process, signal as NodeJS.Signals)
  processes.leave(process)
  state.append([{ key, value: null }])
}
