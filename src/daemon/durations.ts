// How long things took, told with the event that ends them: ready `after` the grant, a lease `held` since its grant and
// `drained` since it was asked to, a generation promoted or rolled back `after` its first grant. In milliseconds.

import type { EndReason, PublishedEvent } from '../core/types.ts'

/** Events that end a lease. */
export const ENDINGS: ReadonlySet<string> = new Set<EndReason>(['released', 'died', 'expired', 'evicted', 'revoked'])

interface Times {
  granted: number
  draining?: number
}

export class Durations {
  private readonly leases = new Map<number, Times>()
  private readonly generations = new Map<string, number>()

  /** The event, with what is known of its duration. */
  tell(event: PublishedEvent): PublishedEvent {
    const { at, lease = 0, name, generation } = event
    const times = this.leases.get(lease)
    const label = `${name} ${generation}`
    if (event.event === 'granted') {
      this.leases.set(lease, { granted: at })
      if (!this.generations.has(label)) this.generations.set(label, at)
      return event
    }
    if (event.event === 'promoted' || event.event === 'rollback') {
      const opened = this.generations.get(label)
      if (event.event === 'rollback') this.generations.delete(label)
      else this.generations.delete(`${name} ${event['former']}`)
      return opened === undefined ? event : { ...event, after: at - opened }
    }
    if (times === undefined) return event
    if (event.event === 'ready') return { ...event, after: at - times.granted }
    if (event.event === 'drain') times.draining ??= at
    if (!ENDINGS.has(event.event)) return event
    this.leases.delete(lease)
    const { draining, granted } = times
    return { ...event, held: at - granted, ...(draining !== undefined && { drained: at - draining }) }
  }
}
