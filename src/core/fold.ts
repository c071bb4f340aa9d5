// Records folded together: the last one of a key wins. What has a number raises the counters even when it is gone, so that no
// number is given out twice.

import type { MetaRecord, NameRecord, StateRecord } from './state.ts'

export interface Folded {
  readonly values: Map<string, unknown>
  readonly meta: MetaRecord
}

export function createFold(): Folded {
  return { values: new Map(), meta: { nextLease: 1, nextGeneration: 1 } }
}

export function fold({ values, meta }: Folded, record: StateRecord): void {
  const { key, value } = record
  count(meta, record)
  if (key === 'meta' || value === null) values.delete(key)
  else values.set(key, value)
}

export function count(meta: MetaRecord, { key, value }: StateRecord): void {
  if (key === 'meta') {
    const { nextLease, nextGeneration } = value as MetaRecord
    meta.nextLease = Math.max(meta.nextLease, nextLease)
    meta.nextGeneration = Math.max(meta.nextGeneration, nextGeneration)
  } else if (key.startsWith('lease/')) {
    meta.nextLease = Math.max(meta.nextLease, Number(key.slice('lease/'.length)) + 1)
  } else if (key.startsWith('name/') && value !== null) {
    for (const { seq } of (value as NameRecord).generations)
      meta.nextGeneration = Math.max(meta.nextGeneration, seq + 1)
  }
}
