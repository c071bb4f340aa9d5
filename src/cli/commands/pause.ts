import type { Command } from 'commander'
import type { Env } from '../env.ts'
import { ask, printJson, type ReaderOptions, readerCommand } from '../reader.ts'

interface PauseOptions extends ReaderOptions {
  drain?: boolean
}

export function addPause(program: Command, env: Env): Command {
  const command = readerCommand('pause', 'grant nothing on a name until it is resumed')
    .argument('<name>', 'the name')
    .option('--drain', 'also drain its holders, so that connections queue in the kernel')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action(name: string, { json, drain = false }: PauseOptions): Promise<void> {
    await ask(command, env, (broker) => broker.pause(name, { drain }))
    if (json) return printJson(env, { name, paused: true, drain })
    env.stdout.write(`${name}: paused${drain ? ', holders asked to drain' : ''}\n`)
  }
}

const HELP = `
The socket stays open: with --drain, connections wait in the kernel's queue, as many as the backlog holds
(the second figure of QUEUE in \`fd-broker list\`); beyond it SYNs are dropped, and clients try again for a while. Pausing twice succeeds.

Examples:
  fd-broker pause web
  fd-broker pause web --drain && ./migrate && fd-broker resume web`
