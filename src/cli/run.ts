// The command line: commander parses it by the table of commands; errors become one line and an exit status of the table.

import { Command, CommanderError } from 'commander'
import { BrokerError, ERRORS } from '../protocol/errors.ts'
import { printable } from '../protocol/printable.ts'
import { VERSION } from '../protocol/version.ts'
import { COMMANDS, commandOf } from './commands.ts'
import type { Env } from './env.ts'
import { EXIT_SYSTEM, EXIT_USAGE, Exit } from './exit.ts'
import { parsePath } from './parse.ts'
import { readTokenFile } from './token-file.ts'

/** Runs one command line; resolves to its exit status. Never throws. */
export async function run(argv: readonly string[], env: Env): Promise<number> {
  try {
    const program = await buildProgram(env, neededFor(argv))
    await program.parseAsync(argv, { from: 'user' })
    return 0
  } catch (error) {
    return report(error, env)
  }
}

/** The version needs no command, help and mistakes all of them. */
function neededFor(argv: readonly string[]): string[] {
  if (argv[0] === '-V' || argv[0] === '--version') return []
  const chosen = commandOf(argv)
  return chosen === undefined ? Object.keys(COMMANDS) : [chosen]
}

/** The program with these of its commands. */
export async function buildProgram(env: Env, names: readonly string[]): Promise<Command> {
  const program = new Command('fd-broker')
    .description('Owns listening sockets and passes them, by name, to the processes that serve them.')
    .version(VERSION, '-V, --version', 'print the version')
    .option(
      '--socket <path>',
      'control socket of the broker (default: $FD_BROKER_SOCKET, else the system’s, else yours)',
      parsePath,
    )
    .option('--token-file <path>', 'file with the secret for token: rules (default: $FD_BROKER_TOKEN itself)')
    .hook('preAction', (command) => {
      const { tokenFile } = command.opts<{ tokenFile?: string }>()
      if (tokenFile !== undefined) env.token = tokenOf(tokenFile, env)
    })
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => env.stdout.write(text),
      writeErr: (text) => env.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'fd-broker: ')),
    })
  for (const name of names) {
    const add = await COMMANDS[name]!()
    add(program, env).exitOverride().configureOutput(program.configureOutput()).helpOption('-h, --help', 'show help')
  }
  return program
}

function tokenOf(file: string, env: Env): string {
  try {
    return readTokenFile(file)
  } catch (error) {
    env.stderr.write(`fd-broker: --token-file: ${printable((error as Error).message)}\n`)
    throw new Exit(EXIT_USAGE)
  }
}

const EXAMPLES = `
Examples:
  fd-broker check /etc/fd-broker/broker.toml      is the config right?
  fd-broker serve --config ./broker.toml          run the broker
  fd-broker list                                  what it owns, and how full the queues are
  fd-broker holders web --json                    who holds web, for a program

Exit status: 0 done, 1 refused, 100 wrong usage or bad config, 111 the system failed.`

function report(error: unknown, env: Env): number {
  if (error instanceof Exit) return error.status
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
  const say = (text: string) => env.stderr.write(`fd-broker: ${printable(text)}\n`)
  if (error instanceof BrokerError) {
    say(`${error.code}: ${error.message}`)
    return ERRORS[error.code].exit
  }
  say(error instanceof Error ? error.message : String(error))
  return EXIT_SYSTEM
}
