// The state that the broker before left with the keeper.

import { createFold, type Folded, fold } from '../../core/fold.ts'
import { readWhole } from '../../sys/index.ts'
import type { KeptDescriptors } from '../kept-descriptors.ts'
import type { Log } from '../log.ts'
import { decodeState } from './format.ts'
import { STATE_KEY } from './state-log.ts'

/** Empty when nothing was kept. Throws when it is of another version. */
export function readState(kept: KeptDescriptors, log?: Log): Folded {
  const folded = createFold()
  const [file, ...others] = kept.claim(STATE_KEY)
  for (const other of others) other.close()
  if (file === undefined) return folded
  using state = file
  const { records, torn } = decodeState(readWhole(state))
  if (torn > 0) log?.warn({ bytes: torn }, 'the last entry of the state was not written to its end: it is cut off')
  for (const record of records) fold(folded, record)
  return folded
}
