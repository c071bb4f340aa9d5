// Programs under `fd-broker exec`, as an operator starts them: through the stub.

import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { atEnd } from './cleanup.ts'
import { CLI, type Daemon, until } from './daemon.ts'

export const STUB = resolve(import.meta.dirname, '../../dist/cli/fd-broker')

export interface Running {
  readonly process: ChildProcess
  readonly pid: number
  stdout(): string
  stderr(): string
  /** The exit status, or the signal's name. */
  exit(): Promise<number | NodeJS.Signals>
  kill(signal: NodeJS.Signals): void
}

export interface RunOptions {
  uid?: number
  env?: NodeJS.ProcessEnv
  /** Instead of the stub. */
  file?: string
}

/** Runs `fd-broker ARGS`; it ends with the test. */
export function start(daemon: Daemon, args: readonly string[], options: RunOptions = {}): Running {
  const { uid, env, file = STUB } = options
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FD_BROKER_SOCKET: daemon.control, ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (chunk) => {
      text[name] += chunk
    })
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal!)),
  )
  atEnd(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    process: child,
    pid: child.pid!,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    exit: () => ended,
    kill: (signal) => child.kill(signal),
  }
}

export interface Finished {
  exit: number | NodeJS.Signals
  stdout: string
  stderr: string
}

export async function run(daemon: Daemon, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const running = start(daemon, args, options)
  const exit = await running.exit()
  return { exit, stdout: running.stdout(), stderr: running.stderr() }
}

export interface Holder {
  lease: number
  name: string
  pid: number
  generation: string
  state: string
  status?: string
}

/** Who holds what now, by the CLI. */
export async function holders(daemon: Daemon, name?: string): Promise<Holder[]> {
  const args = ['holders', ...(name === undefined ? [] : [name]), '--json']
  const { stdout, stderr } = await run(daemon, [CLI, ...args], { file: process.execPath })
  if (stdout === '') throw new Error(stderr)
  return (JSON.parse(stdout) as { holders: Holder[] }).holders
}

/** Waits for what the broker says in its log. */
export async function logged(daemon: Daemon, event: string, count = 1): Promise<Record<string, unknown>[]> {
  const found = () => daemon.logs().filter(({ msg }) => msg === event)
  await until(() => found().length >= count, `${count} × ${event} in the log`)
  return found()
}
