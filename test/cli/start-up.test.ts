// What a command loads before it begins: an operator at a prompt and a supervisor's exec wait for it.

import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'

const SOURCE = resolve(import.meta.dirname, '../../src')
/** What every command line loads, and the SDK, which those that ask a broker import when they connect. */
const ALWAYS = ['cli/main.ts', 'cli/env.ts', 'cli/run.ts', 'client/index.ts', 'client/program-leases.ts']
const FOR_THE_DAEMON = ['pino', 'smol-toml', 'valibot']

/** Packages and files below src/ that the static imports of `files` lead to. */
function reach(files: readonly string[]): Set<string> {
  const seen = new Set<string>()
  const visit = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    const text = readFileSync(join(SOURCE, file), 'utf8')
    for (const [, specifier] of text.matchAll(/^(?:import|export)(?! type\b)(?:[^'()=]* from)? '([^']+)'$/gm)) {
      if (specifier!.startsWith('.')) visit(relative(SOURCE, resolve(SOURCE, dirname(file), specifier!)))
      else seen.add(specifier!)
    }
  }
  for (const file of files) visit(file)
  return seen
}

const unwanted = (command: string) =>
  [...reach([...ALWAYS, `cli/commands/${command}.ts`])].filter((each) => FOR_THE_DAEMON.includes(each)).sort()

it('serve needs what the broker needs', () => {
  expect(unwanted('serve')).toEqual(FOR_THE_DAEMON)
})

it.each(Object.keys(COMMANDS).filter((name) => !['serve', 'check', 'doctor'].includes(name)))(
  '%s loads nothing that only the broker needs',
  (command) => expect(unwanted(command)).toEqual([]),
)
