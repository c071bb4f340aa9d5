import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'

export interface Credentials {
  pid: number
  uid: number
  gid: number
}

export interface Received {
  /** Bytes, or -errno. */
  result: number
  truncated: boolean
  controlTruncated: boolean
  fds: OwnedFd[]
  credentials: Credentials | undefined
}

const META_FDS = 5
const none: OwnedFd[] = []

/** One per thread: the bytes of a packet are valid until the next one is received on whichever channel. */
const meta = new Int32Array(constants.SCM_META_LENGTH)
let buffer = new Uint8Array(65536)

export function receivedBytes(length: number): Uint8Array {
  return buffer.subarray(0, length)
}

/** Receives one packet of at most `limit` bytes. Every descriptor that came is in `fds`, and the caller's to close. */
export function receive(fd: number, limit: number): Received {
  if (buffer.length < limit) buffer = new Uint8Array(limit)
  const result = addon.recv(fd, buffer, limit, meta)
  const flags = meta[0]!
  const nfds = meta[1]!
  return {
    result,
    truncated: (flags & constants.SCM_TRUNCATED) !== 0,
    controlTruncated: (flags & constants.SCM_CONTROL_TRUNCATED) !== 0,
    fds: nfds === 0 ? none : Array.from(meta.subarray(META_FDS, META_FDS + nfds), (number) => new OwnedFd(number)),
    credentials:
      flags & constants.SCM_HAS_CREDENTIALS ? { pid: meta[2]!, uid: meta[3]! >>> 0, gid: meta[4]! >>> 0 } : undefined,
  }
}
