import { parse, TomlError } from 'smol-toml'
import type { Fault } from './fault.ts'
import { NESTING_MAX } from './limits.ts'
import type { Table } from './read-table.ts'

/** The tables of a text, or where its syntax is broken: a parser cannot go on after that, so it is the only fault. */
export function parseToml(text: string, file: string): { table: Table } | { fault: Fault } {
  try {
    return { table: parse(text, { maxDepth: NESTING_MAX }) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // The first line of the message; the frame follows it.
    const reason = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')
    return {
      fault: {
        file,
        line: error.line,
        column: error.column,
        message: `${reason} (TOML syntax)`,
        frame: error.codeblock,
      },
    }
  }
}
