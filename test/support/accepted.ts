import { addon } from '../../src/sys/addon.ts'
import type { OwnedFd } from '../../src/sys/index.ts'

/** Accepts all that waits on a listener, which does not block any more, and returns how many those were. */
export function accepted({ fd }: OwnedFd): number {
  addon.setNonblock(fd, 1)
  for (let count = 0; ; count++) {
    const one = addon.accept(fd)
    if (one < 0) return count
    addon.close(one)
  }
}
