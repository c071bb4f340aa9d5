// Everything that a command touches outside itself, so that a test can call it with its own.

import { type Broker, connect } from '../client/index.ts'
import type { Signals, StopSignal } from '../daemon/serve.ts'

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export interface Env {
  stdout: Output
  stderr: Output
  variables: NodeJS.ProcessEnv
  uid: number
  now(): number
  connect(socket: string | undefined): Broker
  signals: Signals
}

export function processEnv(): Env {
  process.stdout.on('error', (error) => onClosedPipe(error, () => process.exit()))
  process.stderr.on('error', (error) => onClosedPipe(error, () => {}))
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    variables: process.env,
    uid: process.getuid?.() ?? -1,
    now: Date.now,
    connect: (socket) => connect({ client: 'fd-broker', timeout: 2000, ...(socket === undefined ? {} : { socket }) }),
    signals: {
      onStop: (stop) => onSignals(['SIGTERM', 'SIGINT'], (signal) => stop(signal as StopSignal)),
      onHangup: (hangup) => onSignals(['SIGHUP'], hangup),
    },
  }
}

/** `fd-broker events | head -1`: the reader has what it wanted. */
function onClosedPipe(error: NodeJS.ErrnoException, end: () => void): void {
  if (error.code !== 'EPIPE') throw error
  end()
}

function onSignals(signals: readonly NodeJS.Signals[], listener: NodeJS.SignalsListener): () => void {
  for (const signal of signals) process.on(signal, listener)
  return () => {
    for (const signal of signals) process.off(signal, listener)
  }
}
