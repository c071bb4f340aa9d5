// What must survive a restart of the broker, as plain data: one record for each lease, name and pursuit that a step changed. The
// last record of a key wins, and null says that it is gone, so a fold of all records is the whole state. Waiters have no
// record: what they asked on is gone with the broker.

import type { Generation, Lease, Name, Pursuit, Registry } from './registry.ts'
import type { AcquireEvent, DrainReason, EndReason, HolderInfo, NameConfig, Signal } from './types.ts'

export interface StateRecord {
  key: string
  value: unknown
}

type Granted = Pick<AcquireEvent, 'connection' | 'label' | 'drainSignal' | 'readyAfter'>

/** A grant writes one: what is usual has no key. */
export interface LeaseRecord extends Granted {
  name: string
  /** Of its generation; an ended lease may have outlived that. */
  generation: number
  state: 'granted' | 'ready' | 'draining' | 'ended'
  since: number
  holder: HolderRecord
  bind?: 'process'
  open?: false
  unclaimed?: true
  serving?: true
  draining?: { reason: DrainReason; deadline: number; enforced: boolean }
  ended?: EndReason
  status?: string
  /** When its timers fire; without, they do not run. */
  readyAt?: number
  aliveAt?: number
  drainAt?: number
  watchdogAt?: number
}

export interface NameRecord {
  config: NameConfig
  current: number
  generations: { seq: number; label: string; state: Generation['state']; promoteAt?: number }[]
  superseded: [label: string, by: string][]
  paused: boolean
  removedAt?: number
  nextLabel: number
}

/** `process` is a number of this broker alone. */
type HolderRecord = [
  identity: string,
  pid: number,
  uid: number,
  gid: number,
  user: string,
  command: string,
  unit?: string,
]

export interface PursuitRecord {
  holder: HolderRecord
  signals: Signal[]
  at: number
}

/** Numbers that only grow; they are in no other record once what had them is gone. */
export interface MetaRecord {
  nextLease: number
  nextGeneration: number
}

/** Endings that the holder may not have heard of: it is told when it comes back. */
const TOLD: ReadonlySet<EndReason> = new Set(['expired', 'evicted', 'revoked'])

/** What the last step changed. */
export function recordsOf(registry: Registry): StateRecord[] {
  const { leases, names, pursuits, forgotten } = registry.changes
  const records: StateRecord[] = []
  for (const name of names) {
    const known = registry.names.get(name.config.name)
    if (known === name) records.push({ key: `name/${name.config.name}`, value: nameRecord(registry, name) })
    else if (!known) records.push({ key: `name/${name.config.name}`, value: null })
  }
  for (const lease of leases) records.push({ key: `lease/${lease.id}`, value: leaseRecord(registry, lease) })
  for (const id of forgotten) records.push({ key: `lease/${id}`, value: null })
  for (const id of pursuits) records.push({ key: `pursuit/${id}`, value: pursuitRecord(registry, id) })
  return records
}

function leaseRecord({ timers }: Registry, lease: Lease): LeaseRecord | null {
  const { asked, generation, state, since, open, unclaimed, serving, draining, ended, status } = lease
  if (state === 'waiting' || (ended !== undefined && !TOLD.has(ended))) return null
  const { connection, bind, label, drainSignal, readyAfter } = asked
  const readyAt = timers.get(`ready/${lease.id}`)
  const aliveAt = timers.get(`alive/${lease.id}`)
  const drainAt = timers.get(`drain/${lease.id}`)
  const watchdogAt = timers.get(`watchdog/${lease.id}`)
  const record: LeaseRecord = {
    name: asked.name,
    generation: generation!.seq,
    state,
    since,
    holder: holderRecord(lease.holder),
    connection,
  }
  if (bind === 'process') record.bind = bind
  if (!open) record.open = open
  if (unclaimed) record.unclaimed = unclaimed
  if (serving) record.serving = serving
  if (label !== undefined) record.label = label
  if (drainSignal !== undefined) record.drainSignal = drainSignal
  if (readyAfter !== undefined) record.readyAfter = readyAfter
  if (draining) record.draining = { ...draining }
  if (ended !== undefined) record.ended = ended
  if (status !== undefined) record.status = status
  if (readyAt !== undefined) record.readyAt = readyAt
  if (aliveAt !== undefined) record.aliveAt = aliveAt
  if (drainAt !== undefined) record.drainAt = drainAt
  if (watchdogAt !== undefined) record.watchdogAt = watchdogAt
  return record
}

function nameRecord({ timers }: Registry, name: Name): NameRecord {
  const { config, current, generations, superseded, paused, removed, nextLabel } = name
  return {
    config,
    current: current.seq,
    generations: [...generations].map(({ seq, label, state }) => {
      const promoteAt = timers.get(`promote/${seq}`)
      return { seq, label, state, ...(promoteAt !== undefined && { promoteAt }) }
    }),
    superseded: [...superseded],
    paused,
    ...(removed && { removedAt: timers.get(`removed/${config.name}`) ?? 0 }),
    nextLabel,
  }
}

function pursuitRecord({ pursuits, timers }: Registry, id: number): PursuitRecord | null {
  const pursuit: Pursuit | undefined = pursuits.get(id)
  if (!pursuit) return null
  return {
    holder: holderRecord(pursuit.holder),
    signals: [...pursuit.signals],
    at: timers.get(`kill/${id}`) ?? 0,
  }
}

function holderRecord({ identity, pid, uid, gid, user, command, unit }: HolderInfo): HolderRecord {
  const record: HolderRecord = [identity, pid, uid, gid, user, command]
  if (unit !== undefined) record.push(unit)
  return record
}

export function holderOf([identity, pid, uid, gid, user, command, unit]: HolderRecord): Omit<HolderInfo, 'process'> {
  return { identity, pid, uid, gid, user, command, ...(unit !== undefined && { unit }) }
}
