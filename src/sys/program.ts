// Becoming another program, as a shell's `exec` would: execve(2) with the descriptors given, and everything else as it was when this
// process was started. What Node has changed by the time that any line of ours runs is told by the sh stub that started it.

import { readFileSync } from 'node:fs'
import { addon } from './addon.ts'
import { LAUNCHER_VARIABLES, START_VARIABLE } from './launcher-variables.ts'
import { check } from './system-error.ts'

export interface ProgramStart {
  /** [soft RLIMIT_NOFILE or 0, signals ignored, signals blocked, descriptors of 0 to 2 that were closed], as bits. */
  readonly sets: BigUint64Array
  readonly stdio: Uint8Array
}

export interface Program {
  start: ProgramStart
  /** How many of this process's own last arguments are the program and its arguments. */
  words: number
  /** `NAME` to remove, `NAME=VALUE` to set. */
  changes: readonly string[]
  fds: readonly number[]
  /** The number that the first descriptor gets; the others follow. */
  first: number
}

const UNLIMITED = 2n ** 64n - 1n
const STDIO_BYTES = 1024

function noteStdio(): Uint8Array {
  const stdio = new Uint8Array(STDIO_BYTES)
  check(addon.noteStdio(stdio), 'tcgetattr')
  return stdio
}

/** Taken as this file is loaded, which is before process.stdout or process.stderr is looked at: node:assert does that. */
const early = process.env[START_VARIABLE] === undefined ? undefined : noteStdio()

export function startOf(variables: NodeJS.ProcessEnv): ProgramStart {
  return { stdio: early ?? noteStdio(), sets: parseStart(variables[START_VARIABLE] ?? '') }
}

function parseStart(note: string): BigUint64Array {
  const [, soft, ignored, blocked, closed] =
    /^(\d{1,19}|unlimited) ([0-9a-f]{16}) ([0-9a-f]{16}) ([012]*)$/.exec(note) ?? []
  if (soft === undefined) return new BigUint64Array(4)
  const limit = soft === 'unlimited' ? UNLIMITED : BigInt(soft)
  const bits = [...closed!].reduce((sum, digit) => sum | (1n << BigInt(digit)), 0n)
  return BigUint64Array.of(limit, BigInt(`0x${ignored}`), BigInt(`0x${blocked}`), bits)
}

/** From now on signals do what they will do to the program as it starts. */
export function resetSignals({ sets }: ProgramStart): void {
  addon.resetSignals(sets)
}

/** Bytes of the last `count` arguments: they need not be UTF-8, which process.argv would make of them. */
function lastArguments(count: number): Uint8Array {
  const all = readFileSync('/proc/self/cmdline')
  let from = all.length
  for (let words = 0; words < count && from > 0; words++) from = all.lastIndexOf(0, from - 2) + 1
  return all.subarray(from)
}

/** Never returns: when the program cannot be run, says why on descriptor 2 and ends with 126, or 127 if there is none. */
export function become({ start, words, changes, fds, first }: Program): never {
  const text = [...LAUNCHER_VARIABLES, ...changes].map((change) => `${change}\0`).join('')
  const { sets, stdio } = start
  check(addon.execReplace(lastArguments(words), Buffer.from(text), Int32Array.from(fds), first, sets, stdio), 'execve')
  throw new Error('execve returned')
}
