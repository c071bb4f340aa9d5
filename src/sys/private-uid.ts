import { readText } from './proc.ts'

/** systemd's docs/UIDS-GIDS: 1879048192 to 2147483647 is given out by nobody, containers included. */
const FIRST = 2_000_000_000

let chosen: number | undefined

/** A uid that no user has: only sockets of the same uid may share a port by SO_REUSEPORT (socket(7)), and root is not of it. */
export function privateUid(): number {
  chosen ??= freeUid(readText('/etc/passwd') ?? '')
  return chosen
}

export function freeUid(passwd: string): number {
  const taken = new Set(passwd.split('\n').map((line) => Number(line.split(':')[2])))
  let uid = FIRST
  while (taken.has(uid)) uid++
  return uid
}
