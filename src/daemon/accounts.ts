import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Accounts } from '../core/rule-text.ts'

export interface SystemAccounts extends Accounts {
  /** The ids of a user, by name or uid; undefined where there is no entry, which alone tells the group. */
  login(user: string): { uid: number; gid: number } | undefined
}

/** Where accounts are found; the defaults are the system's. */
export interface AccountSources {
  passwd?: string
  group?: string
  /** Asks a directory service for the entry of a name; undefined when it has none. */
  lookup?: (database: 'passwd' | 'group', name: string) => string | undefined
}

/** Reads passwd(5) and group(5) once, and asks getent(1) for what is not there (LDAP, sssd, systemd-homed). */
export function systemAccounts(sources: AccountSources = {}): SystemAccounts {
  const { passwd = '/etc/passwd', group = '/etc/group', lookup = getent } = sources
  const resolver = (database: 'passwd' | 'group', file: string) => {
    let local: Map<string, number> | undefined
    const found = new Map<string, number | undefined>()
    return (name: string): number | undefined => {
      local ??= readEntries(file)
      if (local.has(name)) return local.get(name)
      if (!found.has(name)) found.set(name, entries(lookup(database, name) ?? '').get(name))
      return found.get(name)
    }
  }
  const overflow = { user: overflowId('uid'), group: overflowId('gid') }
  const isOverflow = (kind: 'user' | 'group', id: number) => overflow[kind] === id
  const login = (user: string) => loginIn(readText(passwd), user) ?? loginIn(lookup('passwd', user) ?? '', user)
  return { user: resolver('passwd', passwd), group: resolver('group', group), login, isOverflow }
}

function readEntries(file: string): Map<string, number> {
  return entries(readText(file))
}

/** A container may have no such file; getent has the last word then. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** In a user namespace that does not map every id, those it does not know look like this one; undefined in one that maps all. */
function overflowId(kind: 'uid' | 'gid'): number | undefined {
  return mapsAll(readText(`/proc/self/${kind}_map`)) ? undefined : Number(readText(`/proc/sys/kernel/overflow${kind}`))
}

/** `inside outside count`; 2^32 - 1 is no id. An unreadable map is none that cuts anything. */
export function mapsAll(map: string): boolean {
  const lines = map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  return map === '' || lines.reduce((sum, [, , count = 0]) => sum + count, 0) >= 0xffff_ffff
}

/** passwd(5): name, password, uid, gid. */
function loginIn(passwd: string, user: string): { uid: number; gid: number } | undefined {
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if ((name === user || uid === user) && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? ''))
      return { uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}

/** Of a user with an entry: all, also the supplementary ones. */
export function groupsOf(user: string): number[] {
  const text = answerOf('id', ['-G', '--', user])
  return text === undefined ? [] : text.trim().split(' ').map(Number)
}

/** Name and id are the first and the third field of a line, in passwd(5) and in group(5). The first entry of a name wins. */
function entries(text: string): Map<string, number> {
  const ids = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':')
    if (name && id !== undefined && /^\d+$/.test(id) && !ids.has(name)) ids.set(name, Number(id))
  }
  return ids
}

/** A directory service that hangs must not hang the broker's start for long. */
const LOOKUP_TIMEOUT = 5000

function getent(database: 'passwd' | 'group', name: string): string | undefined {
  // getent takes digits for an id, and would say that user "0" is root.
  if (/^\d+$/.test(name)) return undefined
  return answerOf('getent', ['--', database, name])
}

function answerOf(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      timeout: LOOKUP_TIMEOUT,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch {
    return undefined
  }
}
