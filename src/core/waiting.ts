// The waiting line of a name. Waiters that want the same thing share a lane, so that one look at its head is enough.

import type { Lease, Name } from './registry.ts'
import { startTimer, stopTimer, type Turn, touch } from './turn.ts'

const JUDGE_AGAIN_MS = 100

function laneOf({ asked }: Lease): string {
  return `${asked.takeover ? 'takeover' : 'join'} ${asked.ready} ${asked.generation ?? ''}`
}

export function joinLine(turn: Turn, lease: Lease): void {
  const { lanes } = lease.name
  const lane = lanes.get(laneOf(lease))
  if (lane) lane.add(lease)
  else lanes.set(laneOf(lease), new Set([lease]))
  turn.registry.waiting.set(lease.ticket, lease)
  touch(turn, lease.name)
  if (lease.asked.wait > 0) startTimer(turn, `wait/${lease.ticket}`, turn.now + lease.asked.wait)
}

export function leaveLine(turn: Turn, lease: Lease): void {
  const { lanes } = lease.name
  const key = laneOf(lease)
  const lane = lanes.get(key)
  if (!lane?.delete(lease)) return
  if (lane.size === 0) lanes.delete(key)
  turn.registry.waiting.delete(lease.ticket)
  stopTimer(turn, `wait/${lease.ticket}`)
}

/** A waiter could not be judged, and nothing that happens here says when it can be. */
export function judgeAgain(turn: Turn, { config }: Name): void {
  const key = `judge/${config.name}`
  if (!turn.registry.timers.has(key)) startTimer(turn, key, turn.now + JUDGE_AGAIN_MS)
}

export function* headsOf(name: Name): Generator<Lease> {
  for (const lane of name.lanes.values())
    for (const head of lane) {
      yield head
      break
    }
}

export function countWaiting(name: Name): number {
  let count = 0
  for (const lane of name.lanes.values()) count += lane.size
  return count
}
