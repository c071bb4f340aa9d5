import type { Command } from 'commander'
import { BrokerError, ERRORS } from '../../protocol/errors.ts'
import type { ReloadChanges } from '../../protocol/messages.ts'
import { printable } from '../../protocol/printable.ts'
import type { Env } from '../env.ts'
import { Exit } from '../exit.ts'
import { ask, printJson, type ReaderOptions, readerCommand } from '../reader.ts'

interface ReloadOptions extends ReaderOptions {
  dryRun?: boolean
}

export function addReload(program: Command, env: Env): Command {
  const command = readerCommand('reload', 'have the broker read its config again, and show what that changes').option(
    '--dry-run',
    'show it, and change nothing',
  )
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json, dryRun = false }: ReloadOptions): Promise<void> {
    const changes = await ask(command, env, (broker) => broker.reload({ dryRun })).catch(refused)
    for (const warning of changes.warnings) env.stderr.write(`${printable(warning)}\n`)
    if (json) return printJson(env, { dryRun, ...changes })
    for (const line of lines(changes)) env.stdout.write(`${printable(line)}\n`)
  }

  /** A faulty file has many faults, each a line with its place. */
  function refused(error: unknown): never {
    if (!(error instanceof BrokerError) || !error.message.includes('\n')) throw error
    for (const line of error.message.split('\n')) env.stderr.write(`${printable(line)}\n`)
    throw new Exit(ERRORS[error.code].exit)
  }
}

function lines({ added, removed, changed, unchanged, broker }: ReloadChanges): string[] {
  return [
    ...broker.map((key) => `changed    ${key === 'tokens' ? '[tokens]' : `broker.${key}`}`),
    ...added.map((name) => `added      ${name}`),
    ...removed.map((name) => `removed    ${name}`),
    ...changed.map(({ name, keys }) => `changed    ${name}: ${keys.join(', ')}`),
    ...unchanged.map((name) => `unchanged  ${name}`),
  ]
}

const HELP = `
The whole file is checked, and all that is new is opened, before anything changes. A faulty file changes nothing: every fault is
told as FILE:LINE:COLUMN: KEY: what is wrong and what to do, and the exit status is 100. docs/configuration.md says of each key how
a reload applies it. SIGHUP does the same; the broker's log says the outcome.

Examples:
  fd-broker reload --dry-run
  fd-broker reload`
