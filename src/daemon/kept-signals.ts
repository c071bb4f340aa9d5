// Signals of a broker under a keeper come on two ways: sent to the broker itself, or to the keeper, which passes them on.

import type { Signals, StopSignal } from './signals.ts'

export class KeptSignals implements Signals {
  private readonly own: Signals
  private readonly hangups = new Set<() => void>()
  private readonly debugs = new Set<() => void>()
  private readonly stops = new Set<(signal: StopSignal) => void>()
  /** Stops so far, each way. One that a service manager sends to every process of a unit comes both ways, and is one. */
  private readonly counts = { direct: 0, passed: 0 }
  private told = 0

  constructor(own: Signals) {
    this.own = own
  }

  /** One that the keeper was sent. */
  passed(signal: NodeJS.Signals): void {
    if (signal === 'SIGTERM' || signal === 'SIGINT') return this.stop('passed', signal)
    const listeners = signal === 'SIGHUP' ? this.hangups : signal === 'SIGUSR1' ? this.debugs : undefined
    if (listeners !== undefined) for (const listener of listeners) listener()
    else if (signal !== 'SIGWINCH') process.kill(process.pid, signal)
  }

  onStop(stop: (signal: StopSignal) => void): () => void {
    this.stops.add(stop)
    const off = this.own.onStop((signal) => this.stop('direct', signal))
    return () => {
      this.stops.delete(stop)
      off()
    }
  }

  onHangup(hangup: () => void): () => void {
    return both(this.hangups, hangup, this.own.onHangup(hangup))
  }

  onDebug(debug: () => void): () => void {
    return both(this.debugs, debug, this.own.onDebug(debug))
  }

  private stop(way: 'direct' | 'passed', signal: StopSignal): void {
    this.counts[way]++
    const due = Math.max(this.counts.direct, this.counts.passed)
    if (due <= this.told) return
    this.told = due
    for (const stop of this.stops) stop(signal)
  }
}

function both(listeners: Set<() => void>, listener: () => void, off: () => void): () => void {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    off()
  }
}
