import type { ConnectionId, ProcessKey } from '../core/types.ts'
import { type OwnedFd, peerOf } from '../sys/index.ts'
import type { Log } from './log.ts'
import type { Processes } from './processes.ts'
import { Session, type SessionHost } from './session.ts'

interface SessionsHost extends SessionHost {
  readonly processes: Processes
  readonly log: Log
}

/**
 * The session of a new connection, whose descriptor is taken over. A peer that cannot be watched for want of descriptors or memory is
 * shed, or its lease might outlive it.
 */
export function openSession(host: SessionsHost, id: ConnectionId, fd: OwnedFd): Session | undefined {
  let process: ProcessKey | undefined
  try {
    const peer = peerOf(fd.fd)
    process = host.processes.join(peer)
    return new Session(id, fd, peer, process, host)
  } catch (error) {
    host.log.error({ err: error }, 'connection closed: its process cannot be identified; see RLIMIT_NOFILE')
    if (process !== undefined) host.processes.leave(process)
    fd.closeLater()
    return undefined
  }
}
