import type { ConnectionId, ProcessKey } from '../core/types.ts'
import { type OwnedFd, peerOf } from '../sys/index.ts'
import type { Log } from './log.ts'
import type { Processes } from './processes.ts'
import type { Rights } from './rights.ts'
import { Session, type SessionHost } from './session.ts'

interface SessionsHost extends SessionHost {
  readonly processes: Processes
  readonly rights: Rights
  readonly log: Log
}

/**
 * The session of a new connection, whose descriptor is taken over. A peer that cannot be watched for want of descriptors or memory is
 * shed, or its lease might outlive it; so is one of which it cannot be said whether it is an admin.
 */
export function openSession(host: SessionsHost, id: ConnectionId, fd: OwnedFd): Session | undefined {
  let process: ProcessKey | undefined
  let session: Session | undefined
  try {
    const peer = peerOf(fd.fd)
    process = host.processes.join(peer)
    session = new Session(id, fd, peer, process, host)
    session.admin = host.rights.isAdmin(session)
    return session
  } catch (error) {
    host.log.error({ err: error }, 'connection closed: its process cannot be identified; see RLIMIT_NOFILE')
    if (session !== undefined) return void session.close()
    if (process !== undefined) host.processes.leave(process)
    return void fd.closeLater()
  }
}
