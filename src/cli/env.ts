// Everything that a command touches outside itself, so that a test can call it with its own.

import { type Broker, connect } from '../client/index.ts'
import { ProgramLeases } from '../client/program-leases.ts'
import type { Signals, StopSignal } from '../daemon/serve.ts'
import { become, type Program, type ProgramStart, startOf } from '../sys/index.ts'

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
  /** Leases for the program that this process becomes. */
  programLeases(socket: string | undefined): ProgramLeases
  /** What this process was started with, of what Node changes. */
  start(): ProgramStart
  become(program: Program): never
}

export function processEnv(): Env {
  return {
    // Only when it is used: Node sets O_NONBLOCK on a pipe as soon as it is looked at, and the parent may share it.
    get stdout() {
      return process.stdout
    },
    get stderr() {
      return process.stderr
    },
    variables: process.env,
    uid: process.getuid?.() ?? -1,
    now: Date.now,
    connect: (socket) => connect({ client: 'fd-broker', timeout: 2000, ...(socket === undefined ? {} : { socket }) }),
    signals: { onStop: onStopSignal },
    programLeases: (socket) =>
      new ProgramLeases({ client: 'fd-broker exec', timeout: 2000, ...(socket === undefined ? {} : { socket }) }),
    start: () => startOf(process.env),
    become,
  }
}

function onStopSignal(stop: (signal: StopSignal) => void): () => void {
  const listener = (signal: NodeJS.Signals) => stop(signal as StopSignal)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, listener)
  return () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, listener)
  }
}
