// The command line as data, read from commander: what completions and manual pages are made of.

import type { Argument, Command, Option } from 'commander'

/** What a word may be. */
export type Value =
  | { kind: 'names' }
  /** Several with commas between. */
  | { kind: 'name-list' }
  | { kind: 'files' }
  | { kind: 'users' }
  | { kind: 'words'; words: readonly string[] }
  /** A program with its arguments. */
  | { kind: 'program' }
  | { kind: 'anything' }

export interface OptionShape {
  long: string
  short?: string | undefined
  description: string
  /** Absent for a switch. */
  value?: Value | undefined
  /** As help shows it: `<file>`. */
  placeholder?: string | undefined
}

export interface ArgumentShape {
  value: Value
  variadic: boolean
  /** As help shows it: `[name...]`. */
  placeholder: string
  description: string
}

export interface CommandShape {
  name: string
  description: string
  options: readonly OptionShape[]
  arguments: readonly ArgumentShape[]
  /** Those below it, as `new` is below `token`. */
  commands: readonly CommandShape[]
}

/** By the placeholder: `<name>`, `[name...]`, `<file>`; words where there are choices. */
function wordOf(placeholder: string, choices: readonly string[] | undefined): Value {
  if (choices) return { kind: 'words', words: choices }
  if (placeholder === 'names') return { kind: 'name-list' }
  if (/\bname\b/.test(placeholder)) return { kind: 'names' }
  if (/^(file|path)$/.test(placeholder)) return { kind: 'files' }
  if (placeholder === 'user') return { kind: 'users' }
  return placeholder === 'command' ? { kind: 'program' } : { kind: 'anything' }
}

function optionShape(option: Option & { words?: readonly string[] }): OptionShape {
  const { long, short, flags, description, argChoices, words = argChoices } = option
  const placeholder = /[<[].*[>\]]/.exec(flags)?.[0]
  return {
    long: long!,
    short,
    description,
    placeholder,
    value: placeholder === undefined ? undefined : wordOf(placeholder.replace(/[<>[\].]/g, ''), words),
  }
}

function argumentShape(argument: Argument): ArgumentShape {
  const name = argument.name()
  const text = argument.variadic ? `${name}...` : name
  return {
    value: wordOf(name, argument.argChoices),
    variadic: argument.variadic,
    placeholder: argument.required ? `<${text}>` : `[${text}]`,
    description: argument.description,
  }
}

/** Also of the program itself. */
export function commandShape(command: Command): CommandShape {
  const help = command.createHelp()
  return {
    name: command.name(),
    description: command.description(),
    options: help.visibleOptions(command).map(optionShape),
    arguments: command.registeredArguments.map(argumentShape),
    commands: visibleCommands(command).map(commandShape),
  }
}

/** Which of the commands, as an argument. */
export function chosenOf(commands: readonly CommandShape[]): ArgumentShape {
  const words = commands.map(({ name }) => name)
  return { value: { kind: 'words', words }, variadic: false, placeholder: '<command>', description: 'command' }
}

/** Of `help`, which commander keeps to itself. */
export const helpShape = ({ commands }: CommandShape): CommandShape => ({
  name: 'help',
  description: 'show help for a command',
  options: [],
  arguments: [chosenOf(commands)],
  commands: [],
})

/** `token` as what takes `new`, and then `token/new`. */
export function flatten(commands: readonly CommandShape[]): CommandShape[] {
  return commands.flatMap((command) =>
    command.commands.length === 0
      ? [command]
      : [
          { ...command, arguments: [chosenOf(command.commands)] },
          ...command.commands.map((inner) => ({ ...inner, name: `${command.name}/${inner.name}` })),
        ],
  )
}

/** A program's line begins after the `--` of these. */
export const runsProgram = ({ arguments: all }: CommandShape) => all.some(({ value }) => value.kind === 'program')

/** Those that help shows, without `help` itself. */
export function visibleCommands(program: Command): Command[] {
  const all = program.createHelp().visibleCommands(program)
  return all.filter((command) => command.name() !== 'help')
}
