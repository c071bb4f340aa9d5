// Unix paths that a broker which gave up root cannot bind again: where a holder shuts such a socket, its name is lost.

import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Login } from '../../sys/index.ts'
import { groupsOf } from '../accounts.ts'
import type { Config } from './model.ts'

export interface UnwritableDirectory {
  directory: string
  /** Those that have a path there. */
  names: string[]
  /** What is wrong, and what to do. */
  what: string
  remedy: string
}

/** What is asked of a directory. */
export interface DirectoryStat {
  uid: number
  gid: number
  mode: number
}

export interface DirectoryHost {
  stat(path: string): DirectoryStat | undefined
  /** Whether the user may make files there. */
  mayWrite(user: Login, directory: string, stat: DirectoryStat): boolean
}

const STICKY = 0o1000

/** As root sees it. An access control list may say otherwise. */
export const byMode: DirectoryHost = {
  stat: (path) => statSync(path, { throwIfNoEntry: false }),
  mayWrite({ name, uid, gid }, _, stat) {
    if (stat.uid === uid) return allows(stat.mode >> 6)
    if (stat.gid === gid || groupsOf(name).includes(stat.gid)) return allows(stat.mode >> 3)
    return allows(stat.mode)
  },
}

/** Of one class: write and search. */
const allows = (mode: number) => (mode & 3) === 3

export function unwritableDirectories({ broker, names }: Config, host: DirectoryHost = byMode): UnwritableDirectory[] {
  const { user, control, stateDir } = broker
  if (user === undefined || user.uid === 0) return []
  /** The broker makes these, and gives what it made to the user. */
  const given = [dirname(control), stateDir]
  const found = new Map<string, Set<string>>()
  for (const { core, addresses, options } of names.values()) {
    for (const address of addresses) {
      if (!('path' in address) || !address.path.startsWith('/')) continue
      const directory = dirname(address.path)
      const stat = host.stat(directory)
      const replaces = stat
        ? host.mayWrite(user, directory, stat) && isOwnThere(user.uid, stat, options.socketUser)
        : given.some((each) => `${each}/`.startsWith(`${directory}/`))
      if (!replaces) found.set(directory, (found.get(directory) ?? new Set()).add(core.name))
    }
  }
  return [...found].map(([directory, who]) => told(user, directory, [...who], host.stat(directory) !== undefined))
}

/** In a sticky directory only the directory's owner and the file's put another file in its place (rename(2)); root bound the path. */
function isOwnThere(uid: number, { mode, uid: owner }: DirectoryStat, socketUser: number | undefined): boolean {
  return (mode & STICKY) === 0 || owner === uid || socketUser === uid
}

const SHOWN = 5

function told({ name }: Login, directory: string, names: string[], exists: boolean): UnwritableDirectory {
  const rest = names.length - SHOWN
  const who = rest > 0 ? `${names.slice(0, SHOWN).join(', ')} and ${rest} more` : names.join(', ')
  return {
    directory,
    names,
    what: `${name} cannot replace a path in ${directory}: a socket of ${who} that a holder shuts stays lost`,
    // Not chown: it may be one of the system's.
    remedy: `${exists ? `let it lie in a directory of ${name}’s own` : `install -d -o ${name} ${directory}`}, or run the broker as root, without user`,
  }
}
