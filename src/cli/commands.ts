// The table of commands: nouns read, verbs change. A command is one file and one row. Each is loaded only when it is asked for, so that
// `list` does not wait for what `serve` needs.

import type { Command } from 'commander'
import type { Env } from './env.ts'

type Add = (program: Command, env: Env) => Command

export const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  serve: async () => (await import('./commands/serve.ts')).addServe,
  check: async () => (await import('./commands/check.ts')).addCheck,
  list: async () => (await import('./commands/list.ts')).addList,
  holders: async () => (await import('./commands/holders.ts')).addHolders,
  stats: async () => (await import('./commands/stats.ts')).addStats,
  events: async () => (await import('./commands/events.ts')).addEvents,
  history: async () => (await import('./commands/history.ts')).addHistory,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  top: async () => (await import('./commands/top.ts')).addTop,
  drain: async () => (await import('./commands/drain.ts')).addDrain,
  pause: async () => (await import('./commands/pause.ts')).addPause,
  resume: async () => (await import('./commands/resume.ts')).addResume,
  upgrade: async () => (await import('./commands/upgrade.ts')).addUpgrade,
  reload: async () => (await import('./commands/reload.ts')).addReload,
  shutdown: async () => (await import('./commands/shutdown.ts')).addShutdown,
  exec: async () => (await import('./commands/exec.ts')).addExec,
  completion: async () => (await import('./commands/completion.ts')).addCompletion,
  'complete-names': async () => (await import('./commands/complete-names.ts')).addCompleteNames,
  token: async () => (await import('./commands/token.ts')).addToken,
}

/** Options before the command. */
const WITH_VALUE: ReadonlySet<string> = new Set(['--socket', '--token-file'])

/** Its work is about all the others. */
const NEEDS_ALL: ReadonlySet<string> = new Set(['completion'])

/** The one command that a command line needs; undefined when that is for the whole table to say (help, a mistake). */
export function commandOf(argv: readonly string[]): string | undefined {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!
    if (WITH_VALUE.has(word)) at++
    else if (!word.startsWith('-')) return Object.hasOwn(COMMANDS, word) && !NEEDS_ALL.has(word) ? word : undefined
    else if (!WITH_VALUE.has(word.split('=')[0]!)) return undefined
  }
  return undefined
}
