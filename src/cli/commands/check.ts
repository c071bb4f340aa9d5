import type { Command } from 'commander'
import { checkFile } from '../../daemon/config/check-file.ts'
import { systemConfigEnv } from '../../daemon/config/config-env.ts'
import { defaultConfigPath } from '../../daemon/config/default-path.ts'
import type { Env } from '../env.ts'
import { EXIT_USAGE, Exit } from '../exit.ts'

export function addCheck(program: Command, env: Env): Command {
  return program
    .command('check')
    .description('check a config file, and name every fault in it')
    .argument('[file]', 'the config (default: the one that serve reads)')
    .option('--explain', 'say whom the broker becomes, and what it keeps of root and why')
    .addHelpText('after', HELP)
    .action((file: string | undefined, { explain }: { explain?: true }) => {
      const { ok, lines } = checkFile(
        file ?? defaultConfigPath(env.uid, env.variables),
        systemConfigEnv(env.variables),
        explain,
      )
      const output = ok ? env.stdout : env.stderr
      for (const line of lines) output.write(`${line}\n`)
      if (!ok) throw new Exit(EXIT_USAGE)
    })
}

const HELP = `
Nothing is bound and nothing is changed. Every fault is told at once, as FILE:LINE:COLUMN: KEY: what is wrong and what to do;
of the file itself, as FILE: the file is …

Examples:
  fd-broker check
  fd-broker check --explain ./broker.toml
  fd-broker check ./broker.toml && fd-broker serve --config ./broker.toml`
