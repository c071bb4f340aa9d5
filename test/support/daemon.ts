// A real broker in a process of its own, in a private directory, ended and checked at the end of the test.

import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { atEnd } from './cleanup.ts'

export const CLI = resolve(import.meta.dirname, '../../dist/cli/main.js')
export const IS_ROOT = process.getuid?.() === 0
/** A user with no rights of its own. */
export const NOBODY = 65534

const JOURNALD_PRIORITY = /^<\d>/

/** A directory that other users can enter; removed when the test ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fd-broker-test-'))
  chmodSync(directory, 0o755)
  atEnd(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface Daemon {
  readonly process: ChildProcess
  readonly pid: number
  readonly directory: string
  readonly control: string
  readonly config: string
  /** Everything logged so far, one object a line. */
  logs(): Record<string, unknown>[]
  stderr(): string
  /** Open descriptors of the broker. */
  fds(): number
  /** Resident memory in bytes. */
  rss(): number
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface DaemonOptions {
  /** Tables below [broker]; `{dir}` stands for the directory. */
  sockets: string
  /** More keys of [broker]. */
  broker?: string
  /** Of the config file; with [tokens] nobody else may read it. */
  mode?: number
  directory?: string
  uid?: number
  env?: NodeJS.ProcessEnv
  /** Runs the daemon through this command, such as `prlimit --nofile=64`. */
  through?: readonly string[]
  /** Another program than the checkout's main.js, run by this Node when it is a script of it. */
  cli?: string
  /** Under a keeper: `pid` is the keeper's, and `test/support/keeper.ts` finds the broker's. */
  keeper?: boolean
}

export function writeConfig(
  directory: string,
  { sockets, broker = '', mode = 0o644 }: Pick<DaemonOptions, 'sockets' | 'broker' | 'mode'>,
): string {
  const config = join(directory, 'broker.toml')
  const text = `[broker]\ncontrol = "{dir}/control.sock"\n${broker}\n${sockets}`
  writeFileSync(config, text.replaceAll('{dir}', directory), { mode })
  return config
}

/** Starts a broker and waits until its control socket takes connections; it ends with the test. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const directory = options.directory ?? temporaryDirectory()
  const config = writeConfig(directory, options)
  const daemon = launch(directory, config, options)
  for (let tries = 0; !daemon.logs().some(({ msg }) => msg === 'serving'); tries++) {
    if (daemon.process.exitCode !== null || tries > 3000)
      throw new Error(`the broker did not start:\n${daemon.stderr()}`)
    await sleep(10)
  }
  return daemon
}

/** Starts a broker that may fail: whoever calls looks at `exit` and `stderr`. */
export function launch(directory: string, config: string, options: Omit<DaemonOptions, 'sockets'> = {}): Daemon {
  const { cli = CLI } = options
  const command = [
    ...(options.through ?? []),
    ...(cli.endsWith('.js') ? [process.execPath] : []),
    cli,
    'serve',
    ...(options.keeper ? [] : ['--no-keeper']),
    '--config',
    config,
  ]
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  let text = ''
  child.stderr!.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    return exited
  }
  atEnd(async () => {
    const brokers = options.keeper ? childrenOf(child.pid!) : []
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    for (const pid of brokers) end(pid)
    await exited
  })
  const pid = child.pid!
  const control = join(directory, 'control.sock')
  return {
    process: child,
    pid,
    directory,
    control,
    config,
    logs: () =>
      // A line that came in part is none yet.
      text
        .slice(0, text.lastIndexOf('\n') + 1)
        .split('\n')
        .map((line) => line.replace(JOURNALD_PRIORITY, ''))
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line)),
    stderr: () => text,
    fds: () => readdirSync(`/proc/${pid}/fd`).length,
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024,
    stop,
  }
}

/** Children of a process. Empty once it has gone. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It went with its keeper.
  }
}

export async function exitOf(daemon: Daemon): Promise<number | null> {
  const { exitCode, signalCode } = daemon.process
  if (exitCode !== null || signalCode !== null) return exitCode
  return new Promise((resolve) => daemon.process.once('close', (code) => resolve(code)))
}

/** Ends the broker as an operator would, and expects it to leave nothing behind. */
export async function stopCleanly(daemon: Daemon): Promise<void> {
  expect(await daemon.stop()).toBe(0)
  expect(existsSync(daemon.control)).toBe(false)
  expect(existsSync(`${daemon.control}.lock`)).toBe(false)
  const sockets = readdirSync(daemon.directory, { withFileTypes: true }).filter((entry) => entry.isSocket())
  expect(sockets.map(({ name }) => name)).toEqual([])
}

export async function until(condition: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(5)) if (await condition()) return
  throw new Error(`not within ${ms} ms: ${what}`)
}
