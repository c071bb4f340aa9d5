// What the SDK takes: times are milliseconds, names and labels follow the protocol's grammar.

import type { DrainSignal } from '../protocol/messages.ts'

/** How to reach a broker. Everything is optional. */
export interface ConnectOptions {
  /**
   * Path of the control socket. Default: FD_BROKER_SOCKET, else `/run/fd-broker/control.sock` if it exists, else
   * `$XDG_RUNTIME_DIR/fd-broker/control.sock` (never for root).
   */
  socket?: string | undefined
  /**
   * Milliseconds: how long to keep trying to reach a broker that is away, and how long to wait for an answer that has no
   * `wait` of its own and is not held (ready() on an exclusive name); Infinity: for ever. Default 10,000.
   */
  timeout?: number | undefined
  /** Connect again, at the next request, when the connection was lost. Default true. */
  reconnect?: boolean | undefined
  /** What this program calls itself, for the broker's log: at most 128 bytes. */
  client?: string | undefined
  /** The secret that a `token:NAME` rule of the broker's policy asks for. Default: FD_BROKER_TOKEN, if it is set. */
  token?: string | undefined
}

export const CONNECT_KEYS: Record<keyof ConnectOptions, true> = {
  socket: true,
  timeout: true,
  reconnect: true,
  client: true,
  token: true,
}

/** How to acquire a name. Everything is optional. */
export interface AcquireOptions {
  /** The label of the release that this lease belongs to. Default: whichever is current. */
  generation?: string | undefined
  /** Opens a fresh generation, which replaces the current one when it becomes ready. Default false. */
  takeover?: boolean | undefined
  /** Milliseconds to wait for room; -1 or Infinity: for ever. Default 0: BUSY or PAUSED at once. */
  wait?: number | undefined
  /** Granted and ready in one step, for a program that listens at once. Default false. */
  ready?: boolean | undefined
  /** Shown to operators beside the lease: at most 128 bytes. */
  label?: string | undefined
  /** Gives up waiting; a grant that comes all the same is given back. */
  signal?: AbortSignal | undefined
}

export const ACQUIRE_KEYS: Record<keyof AcquireOptions, true> = {
  generation: true,
  takeover: true,
  wait: true,
  ready: true,
  label: true,
  signal: true,
}

/** For a lease that is bound to this process, whatever program it becomes. */
export interface ProgramOptions extends AcquireOptions {
  bind: 'process'
  /** How the program is told to drain. Default TERM. */
  drainSignal?: DrainSignal | undefined
  /** Milliseconds from the grant: alive that long is ready. */
  readyAfter?: number | undefined
}

export const PROGRAM_KEYS: Record<keyof ProgramOptions, true> = {
  ...ACQUIRE_KEYS,
  bind: true,
  drainSignal: true,
  readyAfter: true,
}

/** For what may take long and can be given up: rejects with the signal's reason. */
export interface Abortable {
  /** Gives up when it aborts. */
  signal?: AbortSignal | undefined
}

/** Whom to drain. */
export type DrainTarget = { name: string } | { lease: number }

/** How to drain. */
export interface DrainOptions extends Abortable {
  /** Milliseconds that the holders have, instead of the name's drain_timeout. */
  timeout?: number | undefined
}

/** Which events to tell. */
export interface HistoryOptions extends Abortable {
  /** Only those of this name. */
  name?: string | undefined
  /** Only the last so many. */
  limit?: number | undefined
  /** Only those from then on: milliseconds since the epoch. */
  since?: number | undefined
}

/** Which holders to look for. */
export interface HoldersOptions extends Abortable {
  /** Also look for processes that have a socket open without a lease. Default true. */
  undeclared?: boolean | undefined
  /** Is told how many processes the broker may not look into, if any: copies that they have are missing. */
  unseen?: ((processes: number) => void) | undefined
}

/** How to pause. */
export interface PauseOptions extends Abortable {
  /** Also drains the holders, so that connections wait in the kernel's queue. Default false. */
  drain?: boolean | undefined
}

/** How to reload. */
export interface ReloadOptions extends Abortable {
  /** Changes nothing. Default false. */
  dryRun?: boolean | undefined
}

export const DEFAULT_TIMEOUT = 10_000
