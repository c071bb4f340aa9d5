// What an operator tells the process.

export type StopSignal = 'SIGTERM' | 'SIGINT'

export interface Signals {
  /** Calls back at each SIGTERM or SIGINT, until the returned function is called. */
  onStop(stop: (signal: StopSignal) => void): () => void
  /** Calls back at each SIGHUP, which would otherwise kill the broker, until the returned function is called. */
  onHangup(hangup: () => void): () => void
  /**
   * Calls back at each SIGUSR1, until the returned function is called. Node would open its debugger on 127.0.0.1:9229, where
   * every local user could run code as the broker (nodejs.org/api/process.html#signal-events).
   */
  onDebug(debug: () => void): () => void
}
