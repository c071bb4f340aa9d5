// The table of commands: nouns read, verbs change. A command is one file and one row.

import type { Command } from 'commander'
import { addCheck } from './commands/check.ts'
import { addExec } from './commands/exec.ts'
import { addHolders } from './commands/holders.ts'
import { addList } from './commands/list.ts'
import { addServe } from './commands/serve.ts'
import { addStats } from './commands/stats.ts'
import type { Env } from './env.ts'

export const COMMANDS: readonly ((program: Command, env: Env) => Command)[] = [
  addServe,
  addCheck,
  addList,
  addHolders,
  addStats,
  addExec,
]
