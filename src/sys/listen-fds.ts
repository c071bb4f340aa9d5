// Descriptors that a service manager passed to this very process (sd_listen_fds(3)): from 3 on, each with a name.

import { addon } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'

const FIRST = 3

export interface PassedFd {
  name: string
  fd: OwnedFd
}

/** Takes them, once; none when they are meant for another process. The variables are removed, so that no child takes them for its own. */
export function takePassedFds(variables: NodeJS.ProcessEnv): PassedFd[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = variables
  for (const name of ['LISTEN_PID', 'LISTEN_PIDFDID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete variables[name]
  if (LISTEN_PID !== String(process.pid) || !/^\d{1,5}$/.test(LISTEN_FDS ?? '')) return []
  const names = LISTEN_FDNAMES.split(':')
  return Array.from({ length: Number(LISTEN_FDS) }, (_, index) => index).flatMap((index) => {
    // A number that is not open is not ours to own; a copy is close-on-exec, which what was passed is not.
    const copy = addon.dup(FIRST + index)
    if (copy < 0) return []
    addon.close(FIRST + index)
    return [{ name: names[index] || 'unknown', fd: new OwnedFd(copy) }]
  })
}
