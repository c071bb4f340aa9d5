// The rule against false alarms: what changes on a socket while a worker starts — until it says ready, and for a second after that —
// is how programs begin (Node listens again with 511, gunicorn with 2048), and is set back without a word.

export const AFTER_READY_MS = 1000

export class Starts {
  private readonly starting = new Map<string, Set<number>>()
  private readonly readyAt = new Map<string, number>()
  private readonly now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.now = now
  }

  granted(name: string, lease: number): void {
    const leases = this.starting.get(name)
    if (leases === undefined) this.starting.set(name, new Set([lease]))
    else leases.add(lease)
  }

  ready(name: string, lease: number): void {
    this.forget(name, lease)
    this.readyAt.set(name, this.now())
  }

  /** True when the lease ended before its start was over. */
  ended(name: string, lease: number): boolean {
    return this.forget(name, lease)
  }

  /** Whether a change of the name's sockets may be a worker's start. */
  underWay(name: string): boolean {
    if ((this.starting.get(name)?.size ?? 0) > 0) return true
    return this.now() - (this.readyAt.get(name) ?? -Infinity) <= AFTER_READY_MS
  }

  private forget(name: string, lease: number): boolean {
    return this.starting.get(name)?.delete(lease) ?? false
  }
}
