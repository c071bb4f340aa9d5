import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import { UNIX_PATH_LIMIT } from '../protocol/address.ts'
import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { check, SystemError } from './system-error.ts'
import { isAbstract } from './unix-path.ts'

interface DatagramSocket {
  send(bytes: Buffer, offset: number, length: number, path: string, done: (error?: Error) => void): void
  close(): void
}

interface UnixDgram {
  createSocket(type: 'unix_dgram'): DatagramSocket
}

export interface NotifyOptions {
  env?: NodeJS.ProcessEnv
  /** Descriptors to go along, as with FDSTORE=1. */
  fds?: readonly number[]
  /** Told why nothing was sent. A notification that is lost is no reason to stop. */
  onError?(error: Error): void
}

/** Its binary is absent where install scripts are blocked, and watches the main thread's loop whichever thread calls. */
function loadUnixDgram(): UnixDgram | undefined {
  if (!isMainThread) return undefined
  try {
    return createRequire(import.meta.url)('unix-dgram') as UnixDgram
  } catch {
    return undefined
  }
}

export const hasUnixDgram = (): boolean => loadUnixDgram() !== undefined

/** unix-dgram's errors have -errno as code. */
function asSystemError(error: unknown): unknown {
  const { code, syscall = 'sendmsg' } = error as { code?: unknown; syscall?: string }
  return typeof code === 'number' && code < 0 ? new SystemError(-code, syscall) : error
}

function createSocket(unixDgram: UnixDgram): DatagramSocket {
  try {
    return unixDgram.createSocket('unix_dgram')
  } catch (error) {
    throw asSystemError(error)
  }
}

/**
 * unix-dgram aborts the process on a second close, on bytes that are no Buffer and on a length beyond them, and cuts a
 * path that is too long: so one Buffer, its own length, a path that was measured, one close.
 */
function sendByPackage(unixDgram: UnixDgram, path: string, bytes: Buffer): void {
  const socket = createSocket(unixDgram)
  let failed: unknown
  try {
    socket.send(bytes, 0, bytes.length, path, (error) => {
      failed = error
    })
  } finally {
    socket.close()
  }
  if (failed) throw asSystemError(failed)
}

function sendByAddon(path: string, bytes: Buffer, fds: readonly number[]): void {
  using socket = new OwnedFd(check(addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0), 'socket'))
  const numbers = fds.length > 0 ? Int32Array.from(fds) : null
  check(addon.sendTo(socket.fd, bytes, numbers, constants.AF_UNIX, path, 0), 'sendmsg')
}

function requirePath(path: string): void {
  if (!path.startsWith('/') && !isAbstract(path)) throw new Error(`NOTIFY_SOCKET=${path} is neither a path nor @name`)
  if (path.includes('\0')) throw new Error('NOTIFY_SOCKET has a NUL in it')
  const length = Buffer.byteLength(path)
  if (length > UNIX_PATH_LIMIT) throw new Error(`NOTIFY_SOCKET has ${length} bytes, ${UNIX_PATH_LIMIT} are the most`)
}

/** Sends `READY=1` and the like (sd_notify(3)). False when there is no NOTIFY_SOCKET, or when it did not take it. */
export function notify(state: string, options: NotifyOptions = {}): boolean {
  const { env = process.env, fds = [], onError } = options
  const path = env.NOTIFY_SOCKET
  if (!path) return false
  const bytes = Buffer.from(state)
  try {
    requirePath(path)
    const unixDgram = fds.length > 0 || isAbstract(path) ? undefined : loadUnixDgram()
    if (unixDgram) sendByPackage(unixDgram, path, bytes)
    else sendByAddon(path, bytes, fds)
    return true
  } catch (error) {
    onError?.(error as Error)
    return false
  }
}
