// Who stops the broker waits for the last lease to end, but for no longer than the holders have to drain.

import type { Registry } from '../core/registry.ts'

export class LastLease {
  private readonly registry: Registry
  private ended: (() => void) | undefined

  constructor(registry: Registry) {
    this.registry = registry
  }

  /** To be told of every change. */
  changed(): void {
    if (this.ended !== undefined && this.registry.leases.size === 0) this.ended()
  }

  /** Resolves at the next change that leaves no lease, or when the longest `drain_timeout` of those that are held now is over. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      const held = new Set([...this.registry.leases.values()].map(({ name }) => name.config.drainTimeout))
      const timer = setTimeout(resolve, Math.max(0, ...held))
      this.ended = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
