import { type Command, InvalidArgumentError } from 'commander'
import { HISTORY_MAX } from '../../protocol/limits.ts'
import { printableJson } from '../../protocol/printable.ts'
import type { Env } from '../env.ts'
import { formatEvent } from '../event-line.ts'
import { ask, type ReaderOptions, readerCommand } from '../reader.ts'
import { warnOfUnknownName } from '../select.ts'

interface HistoryOptions extends ReaderOptions {
  name?: string
  since?: (now: number) => number
  limit?: number
}

export function addHistory(program: Command, env: Env): Command {
  const command = readerCommand('history', `show the last ${HISTORY_MAX} events: who, what, why, how long`)
    .option('--name <name>', 'only the events of this name')
    .option('--since <when>', 'only from this time on: 30s, 10m, 2h or 1d ago, or 2026-11-22T01:30Z', parseSince)
    .option('--limit <count>', `only the last so many, at most ${HISTORY_MAX}`, parseLimit)
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json, name, since, limit }: HistoryOptions): Promise<void> {
    const asked = { name, limit, since: since?.(env.now()) }
    const events = await ask(command, env, async (broker) => {
      if (name !== undefined) await warnOfUnknownName(broker, env, name)
      return broker.history(asked)
    })
    const time = (at: number) => new Date(at).toISOString()
    for (const event of events) env.stdout.write(json ? `${printableJson(event, 0)}\n` : formatEvent(event, time))
  }
}

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function parseSince(text: string): (now: number) => number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  if (count !== undefined) return (now) => Math.max(0, now - Number(count) * UNITS[unit!]!)
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at))
    throw new InvalidArgumentError('give an age such as 30s, 10m, 2h or 1d, or a time such as 2026-11-22T01:30Z.')
  return () => Math.max(0, at)
}

function parseLimit(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) <= HISTORY_MAX) return Number(text)
  throw new InvalidArgumentError(`give a number from 0 to ${HISTORY_MAX}.`)
}

const HELP = `
Times are UTC. \`after\`, \`held\` and \`drained\` are milliseconds. With --json, one object a line, as docs/protocol.md gives them.

Examples:
  fd-broker history --since 10m
  fd-broker history --name web --json | jq -c 'select(.event == "rollback")'`
