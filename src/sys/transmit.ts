import { addon, constants } from './addon.ts'

/** Outside the heap, as the addon needs them: a small array of its own would have to be moved there at each send. */
const lent = new Int32Array(constants.SCM_FDS_MAX + 1)
const lentOne = lent.subarray(0, 1)

/** The numbers as the addon takes them, until the next call. */
export function lend(fds: readonly number[]): Int32Array {
  if (fds.length > lent.length) return Int32Array.from(fds)
  for (let i = 0; i < fds.length; i++) lent[i] = fds[i]!
  return fds.length === 1 ? lentOne : lent.subarray(0, fds.length)
}

/** One sendmsg. 0 or -errno; with `cookies`, -ESTALE where a descriptor is not the socket with that SO_COOKIE. */
export function transmit(
  fd: number,
  bytes: Uint8Array,
  fds: Int32Array | null,
  cookies: BigUint64Array | undefined,
): number {
  return fds && cookies ? addon.sendSockets(fd, bytes, fds, cookies) : addon.send(fd, bytes, fds)
}
