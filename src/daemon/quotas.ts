// What one uid may use, so that no user can keep the broker from the others. Admins are exempt.

export interface QuotaLimits {
  maxConnectionsPerUid: number
  /** Requests a second. */
  maxRequestsPerUid: number
}

interface Account {
  connections: number
  /** Requests in the second that began at `second`. */
  requests: number
  second: number
}

export class Quotas {
  /** Never shrinks (a uid that reconnects must not get a fresh rate); bounded by the uids of the host. */
  private readonly accounts = new Map<number, Account>()
  private readonly limits: QuotaLimits

  constructor(limits: QuotaLimits) {
    this.limits = limits
  }

  /** False when the uid has all the connections that it may have. Pair with `disconnected`. */
  connected(uid: number): boolean {
    const account = this.accounts.get(uid) ?? { connections: 0, requests: 0, second: 0 }
    if (account.connections >= this.limits.maxConnectionsPerUid) return false
    account.connections++
    this.accounts.set(uid, account)
    return true
  }

  disconnected(uid: number): void {
    const account = this.accounts.get(uid)
    if (account !== undefined) account.connections--
  }

  /** Counts a request; false when the uid is over its rate. `now` in milliseconds. */
  requested(uid: number, now: number): boolean {
    const account = this.accounts.get(uid)
    if (account === undefined) return true
    const second = Math.floor(now / 1000)
    if (account.second !== second) {
      account.second = second
      account.requests = 0
    }
    return ++account.requests <= this.limits.maxRequestsPerUid
  }
}
