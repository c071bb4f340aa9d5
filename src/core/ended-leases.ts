// Leases that ended, the last so many of them, so that their owners learn why. The order is a ring of ids: a Map alone would have to be
// asked for its oldest key, and walks over the places of all that it has deleted to find it.

/** Ended leases that are remembered. */
export const ENDED_REMEMBERED = 4096

export class EndedLeases<Lease extends { readonly id: number }> {
  private readonly leases = new Map<number, Lease>()
  private readonly order: number[] = []
  private oldest = 0

  get size(): number {
    return this.leases.size
  }

  has(id: number): boolean {
    return this.leases.has(id)
  }

  get(id: number): Lease | undefined {
    return this.leases.get(id)
  }

  /** Answers the id of the lease that is not remembered any more, if there is one. */
  add(lease: Lease): number | undefined {
    this.leases.set(lease.id, lease)
    if (this.order.length < ENDED_REMEMBERED) {
      this.order.push(lease.id)
      return undefined
    }
    const forgotten = this.order[this.oldest]!
    this.order[this.oldest] = lease.id
    this.oldest = (this.oldest + 1) % ENDED_REMEMBERED
    this.leases.delete(forgotten)
    return forgotten
  }
}
