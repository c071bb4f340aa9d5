// Signals to a process that does not go by itself: the first at once, each further one 5 s after the one before.
// They stop when the lease is given back or the process is gone.

import type { Lease } from './registry.ts'
import { startTimer, stopTimer, type Turn } from './turn.ts'
import type { ProcessKey, Signal } from './types.ts'

export const PURSUIT_STEP = 5_000

export function beginPursuit(turn: Turn, lease: Lease, signals: Signal[]): void {
  turn.registry.pursuits.set(lease.id, { lease: lease.id, holder: lease.holder, signals: [...signals] })
  continuePursuit(turn, lease.id)
}

export function continuePursuit(turn: Turn, lease: number): void {
  const pursuit = turn.registry.pursuits.get(lease)
  const signal = pursuit?.signals.shift()
  if (!pursuit || !signal) return
  turn.registry.changes.pursuits.add(lease)
  turn.effects.push({ type: 'signal', process: pursuit.holder.process, lease, signal })
  if (pursuit.signals.length > 0) startTimer(turn, `kill/${lease}`, turn.now + PURSUIT_STEP)
  else turn.registry.pursuits.delete(lease)
}

export function endPursuit(turn: Turn, lease: number): void {
  if (!turn.registry.pursuits.delete(lease)) return
  turn.registry.changes.pursuits.add(lease)
  stopTimer(turn, `kill/${lease}`)
}

export function endPursuitsOf(turn: Turn, process: ProcessKey): void {
  for (const pursuit of turn.registry.pursuits.values()) {
    if (pursuit.holder.process === process) endPursuit(turn, pursuit.lease)
  }
}
