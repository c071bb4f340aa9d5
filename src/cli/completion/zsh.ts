import type { ArgumentShape, CommandShape, OptionShape, Value } from './shape.ts'

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
/** In a spec of _arguments. */
const plain = (text: string) => text.replaceAll(/[\\:[\]]/g, '\\$&')

function action(value: Value): string {
  switch (value.kind) {
    case 'names':
      return '_fd_broker_names'
    case 'name-list':
      return '_sequence _fd_broker_names'
    case 'files':
      return '_files'
    case 'users':
      return '_users'
    case 'words':
      return `(${value.words.join(' ')})`
    case 'program':
      return '_normal'
    case 'anything':
      return ' '
  }
}

function optionSpec({ long, short, description, value }: OptionShape): string[] {
  const rest = `[${plain(description)}]${value ? `:${plain(long.slice(2))}:${action(value)}` : ''}`
  const flags = short ? [short, long] : [long]
  return flags.map((flag) => quote(`(${flags.join(' ')})${flag}${rest}`))
}

function argumentSpec({ value, variadic, description }: ArgumentShape, at: number): string {
  const what = plain(description.split(/[,;(]/)[0]!.trim())
  if (value.kind === 'program') return quote(`*:::${what}:${action(value)}`)
  return quote(`${variadic ? '*' : at + 1}:${what}:${action(value)}`)
}

function commandCase({ name, options, arguments: all }: CommandShape): string {
  const specs = [...options.flatMap(optionSpec), ...all.map(argumentSpec)]
  return `        ${name})\n          _arguments ${specs.join(' \\\n            ')}\n          ;;`
}

export function zshCompletion(program: CommandShape, commands: readonly CommandShape[]): string {
  const described = commands.map(({ name, description }) => `    ${quote(`${name}:${description}`)}`)
  return `#compdef fd-broker
# zsh completion of fd-broker: as _fd_broker in a directory of $fpath, or source <(fd-broker completion zsh)

_fd_broker_names() {
  local -a names
  names=(\${(f)"$(fd-broker complete-names 2>/dev/null)"})
  compadd "$@" -a names
}

_fd_broker_commands() {
  local -a commands
  commands=(
${described.join('\n')}
    'help:show help for a command'
  )
  _describe command commands
}

_fd_broker() {
  local context state line curcontext=$curcontext
  typeset -A opt_args
  _arguments -C ${program.options.flatMap(optionSpec).join(' \\\n    ')} \\
    '1:command:_fd_broker_commands' '*::argument:->argument'
  [[ $state == argument ]] || return
  case $words[1] in
${commands.map(commandCase).join('\n')}
        help) _arguments '1:command:_fd_broker_commands' ;;
  esac
}

if [[ $funcstack[1] == _fd_broker ]]; then _fd_broker "$@"; else compdef _fd_broker fd-broker; fi
`
}
