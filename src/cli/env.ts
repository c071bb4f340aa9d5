// Everything that a command touches outside itself, so that a test can call it with its own.

import type { Broker } from '../client/index.ts'
import type { ProgramLeases } from '../client/program-leases.ts'
import type { Signals, StopSignal } from '../daemon/signals.ts'
import type { Keeper, Program, ProgramStart } from '../sys/index.ts'
import { EXIT_SYSTEM } from './exit.ts'
import type { Terminal } from './top/screen.ts'

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
  /** The secret for token: rules, from --token-file. */
  token: string | undefined
  connect(socket: string | undefined): Promise<Broker>
  signals: Signals
  /** The window that this process is in; undefined without one. */
  terminal(): Promise<Terminal | undefined>
  /** Leases for the program that this process becomes. */
  programLeases(socket: string | undefined): Promise<ProgramLeases>
  /** What this process was started with, of what Node changes. */
  start(): Promise<ProgramStart>
  become(program: Program): Promise<never>
  /** The keeper that started this process, if one did. Once. */
  keeper(): Promise<Keeper | undefined>
  /** Goes on as the keeper, which starts this command line again. */
  becomeKeeper(): Promise<never>
}

export function processEnv(): Env {
  const watched = new Set<NodeJS.WriteStream>()
  const reach = (socket: string | undefined) => ({
    timeout: 2000,
    ...(socket === undefined ? {} : { socket }),
    ...(env.token === undefined ? {} : { token: env.token }),
  })
  const watch = (stream: NodeJS.WriteStream, end: () => void) => {
    if (!watched.has(stream)) watched.add(stream.on('error', (error) => onFailedWrite(error, end)))
    return stream
  }
  const env: Env = {
    // Only when it is used: Node sets O_NONBLOCK on a pipe as soon as it is looked at, and the parent may share it.
    get stdout() {
      return watch(process.stdout, () => process.exit())
    },
    get stderr() {
      return watch(process.stderr, () => {})
    },
    variables: process.env,
    uid: process.getuid?.() ?? -1,
    now: Date.now,
    token: undefined,
    connect: async (socket) => {
      const { connect } = await import('../client/index.ts')
      return connect({ client: 'fd-broker', ...reach(socket) })
    },
    signals: {
      onStop: (stop) => onSignals(['SIGTERM', 'SIGINT'], (signal) => stop(signal as StopSignal)),
      onHangup: (hangup) => onSignals(['SIGHUP'], hangup),
      onDebug: (debug) => onSignals(['SIGUSR1'], debug),
    },
    terminal: async () => (await import('./top/terminal.ts')).processTerminal(),
    programLeases: async (socket) => {
      const { ProgramLeases } = await import('../client/program-leases.ts')
      return new ProgramLeases({ client: 'fd-broker exec', ...reach(socket) })
    },
    start: async () => (await import('../sys/index.ts')).startOf(process.env),
    become: async (program) => (await import('../sys/index.ts')).become(program),
    keeper: async () => (await import('../sys/index.ts')).Keeper.of(process.env),
    becomeKeeper: async () => {
      const { becomeKeeper, startOf } = await import('../sys/index.ts')
      return becomeKeeper(startOf(process.env), process.env)
    },
  }
  return env
}

/** `fd-broker events | head -1`: the reader has what it wanted. Anything else is lost output: a full disk, say. */
function onFailedWrite(error: NodeJS.ErrnoException, end: () => void): void {
  if (error.code === 'EPIPE') return end()
  process.stderr.write(`fd-broker: the output could not be written: ${error.message}\n`, () =>
    process.exit(EXIT_SYSTEM),
  )
}

function onSignals(signals: readonly NodeJS.Signals[], listener: NodeJS.SignalsListener): () => void {
  for (const signal of signals) process.on(signal, listener)
  return () => {
    for (const signal of signals) process.off(signal, listener)
  }
}
