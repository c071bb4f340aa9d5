// Connections over max_connections_per_uid. Each is told why at its first request and closed; that is not for the sake of whoever floods the
// broker, so few of them wait for that request at a time.

import type { ConnectionId } from '../core/types.ts'
import type { Session } from './session.ts'

/** Of all users; each is a descriptor. A client of ours sends hello as it connects, so it is answered in the next turn of the loop. */
const WAITING_MOST = 64
const PATIENCE_MS = 1000

export class TurnedAway {
  /** The oldest first. */
  private readonly waiting = new Map<ConnectionId, Session>()

  /** Waits for its first request, if need be in place of the one that has waited longest. */
  add(session: Session, helloTimeout: number): void {
    session.turnedAway = true
    session.helloTimer = setTimeout(() => session.close(), Math.min(helloTimeout, PATIENCE_MS))
    this.waiting.set(session.id, session)
    if (this.waiting.size <= WAITING_MOST) return
    for (const oldest of this.waiting.values()) {
      this.ended(oldest)
      return oldest.close()
    }
  }

  answer(session: Session, id: number, limit: number): void {
    const { uid } = session.peer
    const why = `uid ${uid} has ${limit} connections, as many as it may have (max_connections_per_uid): close some of them`
    session.refuse(id, 'LIMIT', why)
    session.dismiss()
  }

  ended(session: Session): void {
    this.waiting.delete(session.id)
  }
}
