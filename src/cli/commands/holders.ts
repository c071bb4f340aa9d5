import type { Command } from 'commander'
import type { HolderView } from '../../protocol/messages.ts'
import type { Env } from '../env.ts'
import { ask, printJson, printTable, type ReaderOptions, readerCommand } from '../reader.ts'
import { type Column, formatDuration } from '../table.ts'

const columns = (now: number): readonly Column<HolderView>[] => [
  { heading: 'LEASE', align: 'right', cell: ({ lease }) => String(lease) },
  { heading: 'NAME', cell: ({ name }) => name },
  { heading: 'PID', align: 'right', cell: ({ pid }) => String(pid) },
  { heading: 'USER', cell: ({ user }) => user },
  { heading: 'COMMAND', cell: ({ command }) => shorten(command, 40) },
  { heading: 'GENERATION', cell: ({ generation }) => generation },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'SINCE', align: 'right', cell: ({ since }) => formatDuration(now - since) },
]

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`
}

export function addHolders(program: Command, env: Env): Command {
  const command = readerCommand('holders', 'who holds the sockets').argument('[name]', 'only the holders of this name')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action(name: string | undefined, { json }: ReaderOptions): Promise<void> {
    const holders = await ask(command, env, (broker) => broker.holders(name))
    if (json) return printJson(env, { holders })
    printTable(env, columns(env.now()), holders)
  }
}

const HELP = `
STATE is granted (has the socket), ready (serves) or draining (was asked to stop); SINCE is how long it has been so.
The kernel says who holds a lease: pid and user are not the worker's own words.

Examples:
  fd-broker holders
  fd-broker holders web --json`
