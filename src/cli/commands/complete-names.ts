// For completion scripts: the names, a line each; nothing at all when there is no broker, or no right to list. Never a word of why:
// somebody is typing.

import type { Command } from 'commander'
import type { Env } from '../env.ts'

/** Longer than an answer takes, shorter than a person at a prompt is patient. */
const PATIENCE_MS = 700

export function addCompleteNames(program: Command, env: Env): Command {
  const command = program.command('complete-names', { hidden: true })
  return command.description('the names, for completion').action(async () => {
    const broker = await env.connect(command.optsWithGlobals<{ socket?: string }>().socket)
    try {
      const names = await broker.list({ signal: AbortSignal.timeout(PATIENCE_MS) })
      env.stdout.write(names.map(({ name }) => `${name}\n`).join(''))
    } catch {
      // Nothing to complete with.
    } finally {
      await broker.close()
    }
  })
}
