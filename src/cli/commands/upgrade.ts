import type { Command } from 'commander'
import { BrokerError } from '../../protocol/errors.ts'
import { printable } from '../../protocol/printable.ts'
import type { Env } from '../env.ts'
import { EXIT_REFUSED, Exit } from '../exit.ts'
import { ask, printJson, type ReaderOptions, readerCommand } from '../reader.ts'

export function addUpgrade(program: Command, env: Env): Command {
  const command = readerCommand('upgrade', 'put the fd-broker that is installed now in place of the one that runs')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json }: ReaderOptions): Promise<void> {
    const upgraded = await ask(command, env, (broker) => broker.upgrade()).catch((error: unknown) => {
      // The new one's failure is a refusal, not a failure of this system: the broker serves on.
      if (!(error instanceof BrokerError) || error.code !== 'SYSTEM') throw error
      // A faulty configuration has a line for each fault.
      const lines = error.message.split('\n').map(printable)
      env.stderr.write(`fd-broker: upgrade failed: ${lines.join('\n')}\n`)
      throw new Exit(EXIT_REFUSED)
    })
    if (json) return printJson(env, upgraded)
    const { from, to } = upgraded
    env.stdout.write(`upgraded: fd-broker ${from.version} (pid ${from.pid}) -> ${to.version} (pid ${to.pid})\n`)
  }
}

const HELP = `
The keeper starts the command line of \`serve\` again. The new broker loads first; then the running one stops for at most 400 ms, the
new one takes sockets and leases over, and clients connect again by themselves; requests wait meanwhile. When the new
one fails or is late, the running one goes on, and the exit status is 1.

Examples:
  npm install --global fd-broker && fd-broker upgrade`
