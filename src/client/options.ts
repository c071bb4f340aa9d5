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
   * `wait` of its own. Default 10,000.
   */
  timeout?: number | undefined
  /** Connect again, at the next request, when the connection was lost. Default true. */
  reconnect?: boolean | undefined
  /** What this program calls itself, for the broker's log: at most 128 bytes. */
  client?: string | undefined
  /** The secret that a `token:NAME` rule of the broker's policy asks for. Default: FD_BROKER_TOKEN, if it is set. */
  token?: string | undefined
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

/** For a lease that is bound to this process, whatever program it becomes. */
export interface ProgramOptions extends AcquireOptions {
  bind: 'process'
  /** How the program is told to drain. Default TERM. */
  drainSignal?: DrainSignal | undefined
  /** Milliseconds from the grant: alive that long is ready. */
  readyAfter?: number | undefined
}

/** For what may take long and can be given up: rejects with the signal's reason. */
export interface Abortable {
  signal?: AbortSignal | undefined
}

/** Whom to drain. */
export type DrainTarget = { name: string } | { lease: number }

export interface DrainOptions extends Abortable {
  timeout?: number | undefined
}

export interface HistoryOptions extends Abortable {
  name?: string | undefined
  /** Only the last so many. */
  limit?: number | undefined
  /** Milliseconds since the epoch. */
  since?: number | undefined
}

export interface HoldersOptions extends Abortable {
  /** Also look for processes that have a socket open without a lease. Default true. */
  undeclared?: boolean | undefined
}

export interface PauseOptions extends Abortable {
  drain?: boolean | undefined
}

export interface ReloadOptions extends Abortable {
  /** Changes nothing. Default false. */
  dryRun?: boolean | undefined
}

export const DEFAULT_TIMEOUT = 10_000
