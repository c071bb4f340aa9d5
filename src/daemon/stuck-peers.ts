// Peers that do not read are cut off: what waits for them must not pile up, and their leases are of no use to anybody.

import type { ConnectionId } from '../core/types.ts'
import type { Journal } from './journal.ts'
import type { Session } from './session.ts'

/** How often they are looked for. */
const CHECK_MS = 1000

export class StuckPeers {
  private readonly sessions: ReadonlyMap<ConnectionId, Session>
  private readonly journal: Journal
  private readonly check: NodeJS.Timeout

  constructor(sessions: ReadonlyMap<ConnectionId, Session>, journal: Journal) {
    this.sessions = sessions
    this.journal = journal
    this.check = setInterval(() => this.cutOff(), CHECK_MS)
  }

  private cutOff(): void {
    const now = performance.now()
    for (const session of this.sessions.values()) {
      if (!session.stuck(now)) continue
      this.journal.warnOf(session.peer, {}, 'connection closed: the peer does not read')
      session.cutOff = true
      session.close()
    }
  }

  close(): void {
    clearInterval(this.check)
  }
}
