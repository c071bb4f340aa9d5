// Names that were removed from the configuration and have not drained yet: their sockets are needed to the end, also by a broker that
// comes after a death and finds nothing of them in its configuration.

import type { Folded } from '../../core/fold.ts'
import type { StateRecord } from '../../core/state.ts'
import type { Config, NameModel } from '../config/model.ts'
import type { KeptDescriptors } from '../kept-descriptors.ts'
import { socketKey } from '../socket-keys.ts'

const KEY = 'removed/'

/** To be written with the configuration that removes some names, and may bring others back. */
export function removedRecords(before: Config['names'], after: Config['names']): StateRecord[] {
  const removed = [...before].filter(([name]) => !after.has(name)).map(([name, value]) => ({ key: KEY + name, value }))
  const back = [...after.keys()].filter((name) => !before.has(name)).map(goneRecord)
  return [...removed, ...back]
}

/** To be written when its sockets are closed. */
export function goneRecord(name: string): StateRecord {
  return { key: KEY + name, value: null }
}

/** Those that drain still and have all of their sockets; others would be bound anew, which nobody wants. */
export function drainingNames({ values }: Folded, configured: Config['names'], kept: KeptDescriptors): NameModel[] {
  const keys = new Set(kept.keys())
  const models = [...values].filter(([key]) => key.startsWith(KEY)).map(([, model]) => model as NameModel)
  return models.filter(({ core: { name }, addresses }) => {
    const drains = values.has(`name/${name}`) && !configured.has(name)
    return drains && addresses.every((_, index) => keys.has(socketKey(name, index)) || keys.has(name))
  })
}
