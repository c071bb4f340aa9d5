// How each kind of bend is undone on the broker's own copy of the socket.

import { addon, constants as c } from './addon.ts'
import type { Repair } from './guarded-options.ts'
import { type Bend, wordOf } from './socket-snapshot.ts'

interface Damaged {
  readonly fd: number
  readonly backlog: number
}

type Act = (socket: Damaged, bend: Bend) => void

const listen: Act = ({ fd, backlog }) => void addon.listen(fd, backlog)

/** An option that is at its old value has been reset; else it had been given one, which is set again. */
function write(fd: number, { option: { level, name }, before }: Bend, value: number | Uint8Array = before): void {
  addon.setsockopt(fd, level, name, value)
}

/** SO_RCVBUFFORCE and SO_SNDBUFFORCE go beyond net.core.[rw]mem_max, with CAP_NET_ADMIN. */
function writeBuffer(fd: number, bend: Bend): void {
  const forced = bend.option.name === c.SO_RCVBUF ? c.SO_RCVBUFFORCE : c.SO_SNDBUFFORCE
  const half = wordOf(bend.before) >> 1
  if (addon.setsockopt(fd, c.SOL_SOCKET, forced, half) < 0) write(fd, bend, half)
}

/** The value that means "as the host has it" reads as what the host has; any other must be written as it reads. */
function reset(fd: number, bend: Bend, value: number): void {
  const { level, name, size } = bend.option
  write(fd, bend, value)
  const now = new Uint8Array(size)
  addon.getsockopt(fd, level, name, now)
  if (Buffer.compare(now, bend.before) !== 0) write(fd, bend)
}

const ACTS: Readonly<Record<Exclude<Repair, number>, Act>> = {
  set: ({ fd }, bend) => write(fd, bend),
  buffer: ({ fd }, bend) => writeBuffer(fd, bend),
  text: ({ fd }, bend) => write(fd, bend, bend.before.subarray(0, bend.before.indexOf(0))),
  empty: ({ fd }, bend) => write(fd, bend, new Uint8Array(0)),
  detach: ({ fd }) => void addon.setsockopt(fd, c.SOL_SOCKET, c.SO_DETACH_FILTER, 0),
  unsign: ({ fd }) => void addon.removeMd5(fd),
  status: ({ fd }, bend) => void addon.setNonblock(fd, wordOf(bend.before) === 0 ? 0 : 1),
  disconnect: ({ fd }) => void addon.connect(fd, c.AF_UNSPEC, '', 0),
  listen,
  replace: () => {},
}

/** Tries to undo them all; whoever calls looks again for what is left. */
export function repairSocket(socket: Damaged, bends: readonly Bend[]): void {
  for (const bend of bends) {
    const { repair } = bend.option
    if (typeof repair === 'number') reset(socket.fd, bend, repair)
    else ACTS[repair](socket, bend)
  }
}

/** The port of a listener that was shut is a stranger's chance: this comes before anything else is looked at. */
export function listenAgain(socket: Damaged): boolean {
  addon.setsockopt(socket.fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)
  return addon.listen(socket.fd, socket.backlog) === 0
}
