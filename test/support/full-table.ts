// This process with no descriptor left, for tests of what happens then.

import { addon } from '../../src/sys/addon.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'

/** Leaves room for `free` more, until it is called that this returns. Nothing can be started or imported meanwhile. */
export function fillTable(free = 0): () => void {
  const copies: OwnedFd[] = []
  for (let fd = addon.dup(0); fd >= 0; fd = addon.dup(0)) copies.push(new OwnedFd(fd))
  for (const copy of copies.splice(0, free)) copy.close()
  return () => {
    for (const copy of copies.splice(0)) copy.close()
  }
}

/** What `act` answers with room for `free` descriptors. */
export function withFullTable<T>(act: () => T, free = 0): T {
  const empty = fillTable(free)
  try {
    return act()
  } finally {
    empty()
  }
}
