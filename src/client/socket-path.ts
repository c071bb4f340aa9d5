// Which control socket, and whom to believe behind it.

import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BrokerError } from '../protocol/errors.ts'

export const SYSTEM_SOCKET = '/run/fd-broker/control.sock'

export interface SocketPath {
  path: string
  /** Named by the caller or by FD_BROKER_SOCKET: then the owner of the socket's file is believed too. */
  explicit: boolean
}

export interface PathSources {
  env: NodeJS.ProcessEnv
  uid: number
  exists: (path: string) => boolean
}

/** Asked each time: a program may drop its privileges after it has loaded the SDK. */
function here(): PathSources {
  return { env: process.env, uid: process.geteuid?.() ?? -1, exists: existsSync }
}

/**
 * The socket asked for, else FD_BROKER_SOCKET, else the system's if it exists, else the user's. Root never takes the
 * user's: XDG_RUNTIME_DIR survives `sudo -E`, and another user's broker must not hand sockets to root.
 */
export function socketPath(asked: string | undefined, sources: PathSources = here()): SocketPath {
  const { env, uid, exists } = sources
  const named = asked ?? env.FD_BROKER_SOCKET
  if (named) return { path: named, explicit: true }
  const runtime = env.XDG_RUNTIME_DIR
  if (uid === 0 || !runtime || exists(SYSTEM_SOCKET)) return { path: SYSTEM_SOCKET, explicit: false }
  return { path: join(runtime, 'fd-broker', 'control.sock'), explicit: false }
}

/**
 * Refuses an impostor. SO_PEERCRED of a server is whoever called listen() last (unix(7)): it must be root, this process's
 * own user, or, where the path was named explicitly, the owner of the socket's file.
 */
export function assertTrusted(uid: number, { path, explicit }: SocketPath, own: number = here().uid): void {
  if (uid === 0 || uid === own) return
  if (explicit && uid === ownerOf(path)) return
  throw new BrokerError(
    'CLOSED',
    `uid ${uid} listens at ${path}, which is neither root nor this user; ` +
      'if that broker is the one you mean, name its socket explicitly (FD_BROKER_SOCKET or `socket`)',
  )
}

function ownerOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.uid
}
