// How long things took, told with the event that ends them: ready `after` the grant, a lease `held` since its grant and
// `drained` since it was asked to, a generation promoted or rolled back `after` its first grant. In milliseconds.

import type { EndReason, PublishedEvent } from '../core/types.ts'

/** Events that end a lease. */
export const ENDINGS: ReadonlySet<string> = new Set<EndReason>(['released', 'died', 'expired', 'evicted', 'revoked'])

interface Times {
  granted: number
  draining: number | undefined
}

export class Durations {
  private readonly leases = new Map<number, Times>()
  private readonly generations = new Map<string, number>()

  /** Adds to the event what is known of its duration. */
  tell(event: PublishedEvent): PublishedEvent {
    const { at, lease = 0 } = event
    if (event.event === 'granted') this.begin(event)
    else if (event.event === 'promoted' || event.event === 'rollback') this.tellGeneration(event)
    else {
      const times = this.leases.get(lease)
      if (times === undefined) return event
      if (event.event === 'ready') event['after'] = at - times.granted
      else if (event.event === 'drain') times.draining ??= at
      else if (ENDINGS.has(event.event)) this.end(event, times)
    }
    return event
  }

  private begin({ at, lease = 0, name, generation }: PublishedEvent): void {
    this.leases.set(lease, { granted: at, draining: undefined })
    const label = `${name} ${generation}`
    if (!this.generations.has(label)) this.generations.set(label, at)
  }

  private tellGeneration(event: PublishedEvent): void {
    const { at, name, generation } = event
    const label = `${name} ${generation}`
    const opened = this.generations.get(label)
    this.generations.delete(event.event === 'rollback' ? label : `${name} ${event['former']}`)
    if (opened !== undefined) event['after'] = at - opened
  }

  private end(event: PublishedEvent, { granted, draining }: Times): void {
    this.leases.delete(event.lease ?? 0)
    event['held'] = event.at - granted
    if (draining !== undefined) event['drained'] = event.at - draining
  }
}
