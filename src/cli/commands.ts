// The table of commands: nouns read, verbs change. A command is one file and one row.

import type { Command } from 'commander'
import { addCheck } from './commands/check.ts'
import { addDrain } from './commands/drain.ts'
import { addEvents } from './commands/events.ts'
import { addExec } from './commands/exec.ts'
import { addHolders } from './commands/holders.ts'
import { addList } from './commands/list.ts'
import { addPause } from './commands/pause.ts'
import { addResume } from './commands/resume.ts'
import { addServe } from './commands/serve.ts'
import { addStats } from './commands/stats.ts'
import type { Env } from './env.ts'

export const COMMANDS: readonly ((program: Command, env: Env) => Command)[] = [
  addServe,
  addCheck,
  addList,
  addHolders,
  addStats,
  addEvents,
  addDrain,
  addPause,
  addResume,
  addExec,
]
