import { addon, constants } from './addon.ts'
import { check } from './system-error.ts'

const word = new Int32Array(1)
const wordBytes = new Uint8Array(word.buffer)
const long = new BigUint64Array(1)
const longBytes = new Uint8Array(long.buffer)

export function getInt(fd: number, level: number, name: number): number {
  check(addon.getsockopt(fd, level, name, wordBytes), 'getsockopt')
  return word[0]!
}

export function setInt(fd: number, level: number, name: number, value: number): void {
  check(addon.setsockopt(fd, level, name, value), 'setsockopt')
}

/** The option's bytes, at most `most`. */
export function getBytes(fd: number, level: number, name: number, most: number): Uint8Array {
  const bytes = new Uint8Array(most)
  return bytes.subarray(0, check(addon.getsockopt(fd, level, name, bytes), 'getsockopt'))
}

/** SO_PEERCRED alone, which takes no descriptor. */
export function peerCredentials(fd: number): { pid: number; uid: number } {
  const bytes = getBytes(fd, constants.SOL_SOCKET, constants.SO_PEERCRED, 12)
  const [pid, uid] = new Uint32Array(bytes.buffer, 0, 2)
  return { pid: pid!, uid: uid! }
}

function getCookie(fd: number, name: number): string {
  check(addon.getsockopt(fd, constants.SOL_SOCKET, name, longBytes), 'getsockopt')
  return long[0]!.toString(16).padStart(16, '0')
}

/** SO_COOKIE: unique among the sockets of this boot; 16 hex digits, most significant first. */
export function socketCookie(fd: number): string {
  return getCookie(fd, constants.SO_COOKIE)
}

/** SO_PASSRIGHTS=0 (6.16+): peers cannot push descriptors into this socket. False where the kernel has no such option. */
export function refuseRights(fd: number): boolean {
  return addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_PASSRIGHTS, 0) === 0
}

/** Undoes what an accepted connection inherited of refuseRights(). */
export function admitRights(fd: number): void {
  addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_PASSRIGHTS, 1)
}
