import { type OwnedFd, type Peer, peerOf } from '../sys/index.ts'
import type { Log } from './log.ts'

/** Who connected; a peer that cannot be watched for want of descriptors is shed, or its lease might outlive it. */
export function identify(fd: OwnedFd, log: Log): Peer | undefined {
  try {
    return peerOf(fd.fd)
  } catch (error) {
    log.error({ err: error }, 'connection closed: its process cannot be identified; see RLIMIT_NOFILE')
    fd.closeLater()
    return undefined
  }
}
