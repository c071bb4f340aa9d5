// What of a name's options can be set on a socket that serves, and what needs a new one.

import { isDeepStrictEqual } from 'node:util'
import { formatAddress } from '../../protocol/address.ts'
import type { SocketOptionKey, SocketOptions } from '../../protocol/socket-options.ts'
import { type BoundSocket, rememberOptions, setBacklog, setLiveOptions, setPathAccess } from '../../sys/index.ts'
import { rowOfOption } from '../config/reload-rows.ts'

/** All that one socket is opened with. */
export interface Settings {
  options: SocketOptions
  backlog: number
}

const PATH_OPTIONS: ReadonlySet<string> = new Set<SocketOptionKey>(['socketUser', 'socketGroup', 'socketMode'])
/** Of directories that are made later; of a description without holders the status flags are set when it rests. */
const NOTHING_NOW: ReadonlySet<string> = new Set<SocketOptionKey>(['directoryMode'])

function differing({ options: a }: Settings, { options: b }: Settings): SocketOptionKey[] {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)] as SocketOptionKey[])
  return [...keys].filter((key) => !isDeepStrictEqual(a[key], b[key]))
}

/** Whether the one socket cannot become the other by setting options. */
export function needsNewSocket(current: Settings, next: Settings): boolean {
  return differing(current, next).some((key) => {
    const row = rowOfOption(key)
    if (row === undefined || PATH_OPTIONS.has(key) || NOTHING_NOW.has(key)) return false
    return row.applied !== 'live' || (next.options[key] === undefined && row.unset === undefined)
  })
}

/** Makes one socket the other. Returns what undoes it, or undefined when there was nothing to do. Throws, with nothing changed. */
export function changeLive(socket: BoundSocket, current: Settings, next: Settings): (() => void) | undefined {
  const keys = differing(current, next).filter((key) => !NOTHING_NOW.has(key))
  if (keys.length === 0 && current.backlog === next.backlog) return undefined
  const restore = rememberOptions(socket, current.backlog)
  const undo = () => {
    set(socket, keys, next, current)
    // What no value unsets.
    restore()
  }
  try {
    set(socket, keys, current, next)
    return undo
  } catch (error) {
    undo()
    throw new Error(`${formatAddress(socket.address)}: ${(error as Error).message}`, { cause: error })
  }
}

const PRIORITY_OPTIONS: ReadonlySet<string> = new Set<SocketOptionKey>(['ipTos', 'priority'])

/** Another IP_TOS sets the SO_PRIORITY that goes with it, which one of the configuration replaces: begun anew, they are as on a new socket. */
function setPriority(socket: BoundSocket, { ipTos = 0, priority }: SocketOptions): void {
  setLiveOptions(socket, { ipTos: 0, priority: 0 })
  setLiveOptions(socket, { ipTos, ...(priority !== undefined && { priority }) })
}

function set(socket: BoundSocket, keys: readonly SocketOptionKey[], from: Settings, to: Settings): void {
  const own = keys.filter((key) => !PATH_OPTIONS.has(key))
  const options = own
    .filter((key) => !PRIORITY_OPTIONS.has(key))
    .map((key) => [key, to.options[key] ?? rowOfOption(key)?.unset])
    .filter(([, value]) => value !== undefined)
  setLiveOptions(socket, Object.fromEntries(options))
  if (own.some((key) => PRIORITY_OPTIONS.has(key))) setPriority(socket, to.options)
  if (own.length < keys.length) setPathAccess(socket.address, to.options)
  const listens = socket.address.type !== 'udp' && socket.address.type !== 'unix-dgram'
  if (listens && from.backlog !== to.backlog) setBacklog(socket, to.backlog)
}
