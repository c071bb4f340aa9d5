// What a server leaves on a number whose socket its lease has no more.

import { readinessOf } from '../sys/index.ts'

const QUEUE_MS = 1
/** Until a descriptor is free again. */
const SHORTAGE_MS = 100

/** Calls `act` once nobody waits in the queue of `number`, unless it is not `inUse` any more; again until `act` succeeds. */
export function retireNumber(number: number, inUse: () => boolean, act: () => void): void {
  const again = (milliseconds: number) => void setTimeout(() => retireNumber(number, inUse, act), milliseconds).unref()
  if (!inUse()) return
  try {
    if (readinessOf(number) === 'readable') again(QUEUE_MS)
    else act()
  } catch {
    again(SHORTAGE_MS)
  }
}
