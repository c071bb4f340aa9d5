// What every command that reads from a broker shares: --json, the connection, and the choice of output.

import { Command } from 'commander'
import type { Broker } from '../client/index.ts'
import { printableJson } from '../protocol/printable.ts'
import type { Env } from './env.ts'
import { type Column, formatTable, wantsColour } from './table.ts'

export interface ReaderOptions {
  json?: boolean
}

export function readerCommand(name: string, summary: string): Command {
  return new Command(name).description(summary).option('--json', 'print JSON, in the shape that docs/cli.md gives')
}

/** Asks the broker that the command line chose, and closes the connection whatever happens. */
export async function ask<Answer>(
  command: Command,
  env: Env,
  question: (broker: Broker) => Promise<Answer>,
): Promise<Answer> {
  const broker = await env.connect(command.optsWithGlobals<{ socket?: string }>().socket)
  try {
    return await question(broker)
  } finally {
    await broker.close()
  }
}

export function printJson(env: Env, value: unknown): void {
  env.stdout.write(`${printableJson(value)}\n`)
}

export function printTable<Row>(env: Env, columns: readonly Column<Row>[], rows: readonly Row[]): void {
  env.stdout.write(formatTable(columns, rows, wantsColour(env.stdout, env.variables)))
}
