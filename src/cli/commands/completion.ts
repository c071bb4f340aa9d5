import { Argument, type Command } from 'commander'
import { bashCompletion } from '../completion/bash.ts'
import { fishCompletion } from '../completion/fish.ts'
import { commandShape } from '../completion/shape.ts'
import { zshCompletion } from '../completion/zsh.ts'
import type { Env } from '../env.ts'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

export function addCompletion(program: Command, env: Env): Command {
  return program
    .command('completion')
    .description('print what makes a shell complete commands, options and names')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SHELLS)))
    .addHelpText('after', HELP)
    .action((shell: keyof typeof SHELLS) => {
      env.stdout.write(SHELLS[shell](commandShape(program)))
    })
}

const HELP = `
Names are those of the running broker, for users who may list them. FD_BROKER_SOCKET picks the broker.

Examples:
  source <(fd-broker completion bash)     # in ~/.bashrc
  source <(fd-broker completion zsh)      # in ~/.zshrc, after compinit
  fd-broker completion fish >~/.config/fish/completions/fd-broker.fish`
