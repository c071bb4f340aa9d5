import type { Command } from 'commander'
import type { Env } from '../env.ts'
import { ask, printJson, printTable, type ReaderOptions, readerCommand } from '../reader.ts'
import { formatDuration } from '../table.ts'

export function addStats(program: Command, env: Env): Command {
  const command = readerCommand('stats', 'counters of the broker since its start')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json }: ReaderOptions): Promise<void> {
    const stats = await ask(command, env, (broker) => broker.stats())
    if (json) return printJson(env, stats)
    const columns = [
      { heading: 'COUNTER', cell: ([key]: [string, unknown]) => key },
      { heading: 'VALUE', align: 'right', cell: ([key, value]: [string, unknown]) => show(key, value) },
    ] as const
    printTable(env, columns, Object.entries(stats).flatMap(flatten))
  }
}

function flatten([key, value]: [string, unknown]): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[key, value]]
  return Object.entries(value).map(([inner, figure]) => [`${key}.${inner}`, figure])
}

function show(key: string, value: unknown): string {
  return key === 'uptime' ? formatDuration(value as number) : String(value)
}

const HELP = `
Examples:
  fd-broker stats
  fd-broker stats --json`
