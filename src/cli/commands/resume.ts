import type { Command } from 'commander'
import type { Env } from '../env.ts'
import { ask, printJson, type ReaderOptions, readerCommand } from '../reader.ts'

export function addResume(program: Command, env: Env): Command {
  const command = readerCommand('resume', 'grant again on a paused name').argument('<name>', 'the name')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action(name: string, { json }: ReaderOptions): Promise<void> {
    await ask(command, env, (broker) => broker.resume(name))
    if (json) return printJson(env, { name, paused: false })
    env.stdout.write(`${name}: resumed\n`)
  }
}

const HELP = `
Waiters are granted in the order in which they came. Resuming a name that is not paused succeeds.

Examples:
  fd-broker resume web`
