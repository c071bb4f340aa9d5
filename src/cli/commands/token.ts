import { type Command, InvalidArgumentError } from 'commander'
import { newToken } from '../../daemon/tokens.ts'
import { nameFault } from '../../protocol/names.ts'
import type { Env } from '../env.ts'
import { printJson } from '../reader.ts'

export function addToken(program: Command, env: Env): Command {
  const command = program.command('token').description('make secrets for token: rules').helpCommand(false)
  command
    .command('new')
    .description('make a secret, and the line of the config that knows it')
    .argument('<name>', 'what the rules call it: token:NAME', parseName)
    .option('--json', 'print JSON, in the shape that docs/cli.md gives')
    .helpOption('-h, --help', 'show help')
    .addHelpText('after', HELP)
    .action((name: string, { json }: { json?: boolean }) => {
      const { secret, hash } = newToken()
      const config = `${tomlKey(name)} = "${hash}"`
      if (json) return printJson(env, { name, secret, hash, config })
      env.stdout.write(`secret: ${secret}\nconfig: ${config}\n`)
      if (env.stdout.isTTY) env.stdout.write(NEXT)
    })
  return command
}

function parseName(text: string): string {
  const fault = nameFault(text)
  if (fault !== undefined) throw new InvalidArgumentError(`the name ${fault}.`)
  return text
}

/** A bare key of TOML has no dot, slash or @. */
function tomlKey(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : `"${name}"`
}

const NEXT = `
The secret is shown this once. Give it to the worker (FD_BROKER_TOKEN, or connect({ token })),
and put the config line below [tokens] in the broker's config, which nobody else may read (chmod go-r).
`

const HELP = `
Nothing is kept: the secret is printed once, and the config has only its hash. Rules name it as token:NAME.

Examples:
  fd-broker token new deploy
  fd-broker token new deploy --json | jq -r .secret`
