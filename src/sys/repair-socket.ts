// How each kind of bend is undone on the broker's own copy of the socket.

import { addon, constants as c } from './addon.ts'
import type { GuardedOption, Repair } from './guarded-options.ts'
import { isPassing } from './passing-errors.ts'
import { type Bend, wordOf } from './socket-snapshot.ts'
import { SystemError } from './system-error.ts'

interface Damaged {
  readonly fd: number
  readonly backlog: number
}

/** Returns what the kernel said: -errno where it refused. */
type Act = (socket: Damaged, bend: Bend) => number

const listen: Act = ({ fd, backlog }) => addon.listen(fd, backlog)

/** An option that is at its old value has been reset; else it had been given one, which is set again. */
function write(fd: number, { option: { level, name }, before }: Bend, value: number | Uint8Array = before): number {
  return addon.setsockopt(fd, level, name, value)
}

/** SO_RCVBUFFORCE and SO_SNDBUFFORCE go beyond net.core.[rw]mem_max, with CAP_NET_ADMIN. */
function writeBuffer(fd: number, bend: Bend): number {
  const forced = bend.option.name === c.SO_RCVBUF ? c.SO_RCVBUFFORCE : c.SO_SNDBUFFORCE
  const half = wordOf(bend.before) >> 1
  return addon.setsockopt(fd, c.SOL_SOCKET, forced, half) < 0 ? write(fd, bend, half) : 0
}

/** The value that means "as the host has it" reads as what the host has; any other must be written as it reads. */
function reset(fd: number, bend: Bend, value: number): number {
  const { level, name, size } = bend.option
  const result = write(fd, bend, value)
  const now = new Uint8Array(size)
  addon.getsockopt(fd, level, name, now)
  return Buffer.compare(now, bend.before) === 0 ? result : write(fd, bend)
}

const ACTS: Readonly<Record<Exclude<Repair, number>, Act>> = {
  set: ({ fd }, bend) => write(fd, bend),
  buffer: ({ fd }, bend) => writeBuffer(fd, bend),
  text: ({ fd }, bend) => write(fd, bend, bend.before.subarray(0, bend.before.indexOf(0))),
  empty: ({ fd }, bend) => write(fd, bend, new Uint8Array(0)),
  detach: ({ fd }) => addon.setsockopt(fd, c.SOL_SOCKET, c.SO_DETACH_FILTER, 0),
  unsign: ({ fd }) => addon.removeMd5(fd),
  status: ({ fd }, bend) => addon.setNonblock(fd, wordOf(bend.before) === 0 ? 0 : 1),
  disconnect: ({ fd }) => addon.connect(fd, c.AF_UNSPEC, '', 0),
  listen,
  replace: () => 0,
}

/**
 * Tries to undo them all; whoever calls looks again for what is left. Returns the options for which memory or descriptors were short:
 * nothing says that they cannot be undone.
 */
export function repairSocket(socket: Damaged, bends: readonly Bend[]): ReadonlyMap<GuardedOption, SystemError> {
  const short = new Map<GuardedOption, SystemError>()
  for (const bend of bends) {
    const { option } = bend
    const { repair } = option
    const result = typeof repair === 'number' ? reset(socket.fd, bend, repair) : ACTS[repair](socket, bend)
    if (isPassing(-result)) short.set(option, new SystemError(-result, `setting back ${option.label}`))
  }
  return short
}

/** The port of a listener that was shut is a stranger's chance: this comes before anything else is looked at. */
export function listenAgain(socket: Damaged): boolean {
  addon.setsockopt(socket.fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)
  return addon.listen(socket.fd, socket.backlog) === 0
}
