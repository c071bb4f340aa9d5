import { nameFault } from '../../protocol/names.ts'
import { didYouMean } from '../../protocol/suggest.ts'
import { quote } from './kind.ts'
import { TOKENS_MAX } from './limits.ts'
import { isTable } from './read-table.ts'
import type { Report } from './report.ts'

/** SHA-256 of each token's secret, by the token's name. */
export type Tokens = ReadonlyMap<string, Buffer>

const HASH = /^sha256:([0-9a-f]{64})$/

/** The table [tokens]. A value at fault is not quoted: it may be the secret itself. */
export function buildTokens(table: unknown, report: Report): Tokens {
  const tokens = new Map<string, Buffer>()
  if (!isTable(table)) {
    report.fault(['tokens'], 'must be a table; write [tokens] and NAME = "sha256:…" below it')
    return tokens
  }
  const entries = Object.entries(table)
  if (entries.length > TOKENS_MAX)
    report.fault(['tokens'], `has ${entries.length} tokens; at most ${TOKENS_MAX} can be compared with each hello`)
  for (const [name, value] of entries) {
    const fault = nameFault(name)
    if (fault !== undefined) report.fault(['tokens', name], `the name ${fault}; choose another`)
    const digits = typeof value === 'string' ? HASH.exec(value)?.[1] : undefined
    if (digits === undefined)
      report.fault(
        ['tokens', name],
        'is not "sha256:" and 64 lower-case hexadecimal digits; make it with `fd-broker token new NAME`',
      )
    // Also one at fault, so that the rules that name it are not blamed.
    tokens.set(name, Buffer.from(digits ?? '', 'hex'))
  }
  return tokens
}

/** What is wrong with a rule that names this token, or undefined. */
export function tokenFault(name: string, tokens: Tokens): string | undefined {
  if (tokens.has(name)) return undefined
  return `there is no token ${quote(name)}${didYouMean(name, tokens.keys(), `add it to [tokens]; \`fd-broker token new ${name}\` makes it`)}`
}
