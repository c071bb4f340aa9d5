// What every holder of a socket can change for all others: it lives on the shared open file description, or on the socket.

import { addon, constants } from './addon.ts'
import { getInt, setInt } from './sockopt.ts'
import { check } from './system-error.ts'

/** O_NONBLOCK belongs to the open file description, so it is every holder's at once. */
export function setNonBlocking(fd: number, on: boolean): void {
  check(addon.setNonblock(fd, on ? 1 : 0), 'fcntl')
}

/**
 * Sets the backlog back, as the last caller of listen() decides it for all. Not on a socket that does not listen: a holder shut
 * it, and listening again is a repair, not housekeeping.
 */
export function restoreBacklog(fd: number, backlog: number): void {
  if (getInt(fd, constants.SOL_SOCKET, constants.SO_ACCEPTCONN) === 1) check(addon.listen(fd, backlog), 'listen')
}

/** Runs `act`, which may turn SO_REUSEADDR on, as libuv's uv_udp_open does, and sets it back as it was. */
export function keepReuseAddress(fd: number, act: () => void): void {
  const before = getInt(fd, constants.SOL_SOCKET, constants.SO_REUSEADDR)
  act()
  setInt(fd, constants.SOL_SOCKET, constants.SO_REUSEADDR, before)
}
