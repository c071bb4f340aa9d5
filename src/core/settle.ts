// After every event, each name it touched is brought to rest: nothing that could happen now is left for later.
// That is why a waiter is served, a generation promoted and a held `ready` answered in the turn in which it can be.

import { admitWaiter, type Verdict } from './admission.ts'
import { openGeneration, promoteReady, rollBackEmpty } from './generations.ts'
import { fire } from './lease-life.ts'
import { detach, hasHolder, type Lease, leasesOf, type Name } from './registry.ts'
import { noteLease, noteName, publish, reply, stopTimer, type Turn } from './turn.ts'
import type { AcquireEvent } from './types.ts'
import { headsOf } from './waiting.ts'
import { feedWatchdog } from './watchdog.ts'

export function settle(turn: Turn): void {
  for (const name of turn.touched) {
    while (rollBackEmpty(turn, name) || promoteReady(turn, name) || answerReady(turn, name) || serveNext(turn, name));
    watchForWaiters(turn, name)
    retire(turn, name)
  }
}

/** Grants or refuses; false when the lease has to wait. */
export function decide(turn: Turn, lease: Lease, verdict: Verdict): boolean {
  if (verdict.kind === 'wait') return false
  if (verdict.kind === 'refuse') {
    fire(turn, lease, 'refuse', verdict)
    if (verdict.code === 'DENIED') publishDenied(turn, lease.name, lease.asked)
    return true
  }
  lease.generation = verdict.kind === 'join' ? verdict.generation : openGeneration(turn, lease.name, verdict.label)
  fire(turn, lease, lease.asked.ready ? 'grant-ready' : 'grant')
  return true
}

export function publishDenied(turn: Turn, name: Name, { holder, connection }: AcquireEvent): void {
  const { pid, uid, user } = holder
  const missing = turn.context.missing?.(name.config, connection)
  publish(turn, 'denied', name, { pid, uid, user, ...(missing && { missing }) })
}

/** First come, first served among those who have room now. */
function serveNext(turn: Turn, name: Name): boolean {
  if (name.lanes.size === 0) return false
  let first: { lease: Lease; verdict: Verdict } | undefined
  for (const lease of headsOf(name)) {
    if (first && first.lease.ticket < lease.ticket) continue
    const verdict = admitWaiter(turn, lease)
    if (verdict.kind !== 'wait') first = { lease, verdict }
  }
  return first !== undefined && decide(turn, first.lease, first.verdict)
}

function answerReady(turn: Turn, name: Name): boolean {
  for (const lease of name.unsettled) {
    if (!lease.serving && hasFormerHolder(lease)) continue
    name.unsettled.delete(lease)
    if (!lease.serving) mayServe(turn, lease)
    const promoted = lease.generation === name.current
    for (const ask of lease.held) {
      reply(turn, ask, { state: 'ready', promoted })
      if (ask.connection !== lease.asked.connection) detach(turn.registry.byConnection, ask.connection, lease)
    }
    lease.held = []
    return true
  }
  return false
}

function mayServe(turn: Turn, lease: Lease): void {
  lease.serving = true
  noteLease(turn, lease)
  lease.generation!.serving++
  feedWatchdog(turn, lease)
}

/** Strict hand-over: whoever was there before on an exclusive name must be gone, and nobody else may be accepting. */
function hasFormerHolder({ name, generation }: Lease): boolean {
  if (name.config.mode !== 'exclusive') return false
  for (const other of name.generations) {
    if (other.serving > 0) return true
    if (other.seq < generation!.seq && other.leases.size > 0) return true
    if (other === generation && other.draining > 0) return true
  }
  return false
}

/** A standby waits for the end of an exclusive name's holder. */
function watchForWaiters(turn: Turn, name: Name): void {
  if (name.config.mode !== 'exclusive' || name.lanes.size === 0) return
  for (const { holder } of leasesOf(name)) turn.effects.push({ type: 'watch-closely', process: holder.process })
}

function retire(turn: Turn, name: Name): void {
  if (!name.removed || hasHolder(name) || !turn.registry.names.delete(name.config.name)) return
  noteName(turn, name)
  stopTimer(turn, `removed/${name.config.name}`)
  turn.effects.push({ type: 'retire', name: name.config.name })
}
