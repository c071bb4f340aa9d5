import { type Command, InvalidArgumentError, Option } from 'commander'
import type { NameView } from '../../protocol/messages.ts'
import { printableJson } from '../../protocol/printable.ts'
import type { Env } from '../env.ts'
import { parseSeconds } from '../parse.ts'
import { ask, printTable, type ReaderOptions, readerCommand } from '../reader.ts'
import { wantsColour } from '../table.ts'
import { Live } from '../top/live.ts'
import { speaksUtf8 } from '../top/look.ts'
import { plain } from '../top/plain.ts'
import { LIST_COLUMNS, listRows } from './list.ts'

interface TopOptions extends ReaderOptions {
  interval: number
  count?: number
}

const INTERVAL = 1000
const INTERVAL_MIN = 100

export function addTop(program: Command, env: Env): Command {
  const command = readerCommand('top', 'watch names, queues, holders and events in a full-screen view')
    .addOption(new Option('--interval <seconds>', 'between two looks').argParser(parseInterval).default(INTERVAL, '1'))
    .option('--count <n>', 'print the table so many times instead, and end', parseCount)
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json, interval, count }: TopOptions): Promise<void> {
    const wanted = json !== true && count === undefined && env.variables['TERM'] !== 'dumb'
    const terminal = wanted ? await env.terminal() : undefined
    await ask(command, env, (broker) => {
      if (!terminal) return plain(broker, env, { interval, count, print: json ? printLine : print })
      const look = { colour: wantsColour(env.stdout, env.variables), unicode: speaksUtf8(env.variables) }
      return Live.run(broker, { terminal, look, interval, now: env.now, onStop: env.signals.onStop })
    })
  }

  function print(names: readonly NameView[], at: number): void {
    env.stdout.write(`${new Date(at).toISOString()}\n`)
    printTable(env, LIST_COLUMNS, names.flatMap(listRows))
    env.stdout.write('\n')
  }

  function printLine(sockets: readonly NameView[], at: number): void {
    env.stdout.write(`${printableJson({ at, sockets }, 0)}\n`)
  }
}

function parseInterval(text: string): number {
  const ms = parseSeconds(text)
  if (ms < INTERVAL_MIN) throw new InvalidArgumentError(`give at least ${INTERVAL_MIN / 1000}.`)
  return ms
}

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('give a whole number from 1 on.')
  return Number(text)
}

const HELP = `
Keys: q quit, s sort, / filter, arrows and Enter open a name, Esc back, d drain, p pause or resume (both ask first), ? help.
Without a terminal, with --count or with --json it prints what \`fd-broker list\` does, again and again; JSON: one object a line.

Examples:
  fd-broker top
  fd-broker top --interval 5 --count 3
  fd-broker top --json --count 1 | jq -c '.sockets[] | {name, state}'`
