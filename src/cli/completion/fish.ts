import type { CommandShape, OptionShape, Value } from './shape.ts'

const quote = (text: string) => `'${text.replaceAll(/[\\']/g, '\\$&')}'`
const NAMES = '(fd-broker complete-names 2>/dev/null)'

/** What `complete` is told of a value. */
function offer(value: Value): string {
  switch (value.kind) {
    case 'names':
      return `-x -a ${quote(NAMES)}`
    case 'name-list':
      return `-x -a ${quote(`(__fish_complete_list , "fd-broker complete-names 2>/dev/null")`)}`
    case 'files':
      return '-r -F'
    case 'users':
      return `-x -a ${quote('(__fish_complete_users)')}`
    case 'words':
      return `-x -a ${quote(value.words.join(' '))}`
    case 'program':
      return `-x -a ${quote('(__fish_complete_subcommand)')}`
    case 'anything':
      return '-x'
  }
}

function optionLine({ long, short, description, value }: OptionShape, condition: string): string {
  const flags = `${short ? `-s ${short.slice(1)} ` : ''}-l ${long.slice(2)}`
  return `complete -c fd-broker ${condition} ${flags} -d ${quote(description)}${value ? ` ${offer(value)}` : ''}`
}

function commandLines({ name, description, options, arguments: all }: CommandShape): string[] {
  const inside = `-n ${quote(`__fish_seen_subcommand_from ${name}`)}`
  return [
    `complete -c fd-broker -n __fish_use_subcommand -f -a ${name} -d ${quote(description)}`,
    ...options.map((option) => optionLine(option, inside)),
    ...all
      .filter(({ value }) => value.kind !== 'program' && value.kind !== 'anything')
      .map(({ value }) => `complete -c fd-broker ${inside} ${offer(value).replace(/^-r /, '')}`),
  ]
}

export function fishCompletion(program: CommandShape, commands: readonly CommandShape[]): string {
  return [
    '# fish completion of fd-broker: fd-broker completion fish >~/.config/fish/completions/fd-broker.fish',
    'complete -c fd-broker -f',
    ...program.options.map((option) => optionLine(option, '')),
    ...commands.flatMap(commandLines),
    '',
  ].join('\n')
}
