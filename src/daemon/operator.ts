// What the operator asks of the broker as a whole, by signal or by verb.

import type { ReloadResult } from './reload/reload.ts'

export interface Operator {
  /** Reads the configuration again; with `dryRun` only says what would change. */
  reload(how: { dryRun: boolean }): ReloadResult
  /** Asks every holder to drain, waits for them at most drain_timeout, and ends. Twice is once. */
  shutdown(): void
}
