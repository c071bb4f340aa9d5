// Becoming the keeper, which starts this very command line again as its broker.

import { addon } from './addon.ts'
import { findKeeper } from './keeper-find.ts'
import { LAUNCHER_VARIABLES, SELF_VARIABLE } from './launcher-variables.ts'
import type { ProgramStart } from './program.ts'
import { check } from './system-error.ts'

/** How this process was called, so that it can be called again. */
export function ownCommand(variables: NodeJS.ProcessEnv): string[] {
  const [, script, ...words] = process.argv
  const self = variables[SELF_VARIABLE]
  return self ? [self, ...words] : [process.execPath, ...process.execArgv, script!, ...words]
}

/** Never returns: the process goes on as the keeper, with the same pid. Throws an Error when there is no keeper. */
export function becomeKeeper({ sets, stdio }: ProgramStart, variables: NodeJS.ProcessEnv): never {
  const words = [findKeeper(), ...ownCommand(variables)]
  const argv = Buffer.from(words.map((word) => `${word}\0`).join(''))
  const changes = Buffer.from(LAUNCHER_VARIABLES.map((name) => `${name}\0`).join(''))
  const passed = passedBySystemd(variables)
  check(addon.execReplace(argv, changes, passed, 3, sets, stdio), 'execve')
  throw new Error('execve returned')
}

/** Those from 3 on, if they are meant for this process (sd_listen_fds(3)). */
function passedBySystemd({ LISTEN_PID, LISTEN_FDS }: NodeJS.ProcessEnv): Int32Array {
  const count = LISTEN_PID === String(process.pid) && /^\d{1,4}$/.test(LISTEN_FDS ?? '') ? Number(LISTEN_FDS) : 0
  return Int32Array.from({ length: count }, (_, index) => 3 + index)
}
