// A daemon that strangers talk to keeps its size: V8 would rather let garbage pile up to tens of megabytes than collect it.

import { setFlagsFromString } from 'node:v8'

/** Keeps the young generation as it is at the start, and lets the old one grow by a tenth between collections. */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=10')
}
