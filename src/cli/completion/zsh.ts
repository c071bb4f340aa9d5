import { type ArgumentShape, type CommandShape, helpShape, type OptionShape, type Value } from './shape.ts'

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

const lines = (specs: readonly string[], indent: string) => specs.join(` \\\n${indent}`)

/** The options of the program are taken after a command, too. */
function commandCase(
  { name, options, arguments: all, commands }: CommandShape,
  general: readonly OptionShape[],
): string {
  const specs = [...general, ...options].flatMap(optionSpec)
  if (commands.length === 0) {
    return `    ${name})\n      _arguments -S ${lines([...specs, ...all.map(argumentSpec)], '        ')}\n      ;;`
  }
  const choice = quote(`1:command:(${commands.map((inner) => inner.name).join(' ')})`)
  return `    ${name})
      _arguments -C ${lines([...specs, choice, "'*::argument:->inner'"], '        ')}
      [[ $state == inner ]] && case $words[1] in
${commands.map((inner) => commandCase(inner, general)).join('\n')}
      esac
      ;;`
}

export function zshCompletion(program: CommandShape): string {
  const commands = [...program.commands, helpShape(program)]
  const described = commands.map(({ name, description }) => `    ${quote(`${name}:${description}`)}`)
  return `#compdef fd-broker
# zsh completion of fd-broker: as _fd_broker in a directory of $fpath, or source <(fd-broker completion zsh)

_fd_broker_names() {
  local -a names
  local chosen=\${(Q)opt_args[--socket]:-$socket}
  names=(\${(f)"$(fd-broker \${chosen:+--socket} \${chosen:+$chosen} complete-names 2>/dev/null)"})
  compadd "$@" -a names
}

_fd_broker_commands() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  _describe command commands
}

_fd_broker() {
  local context state line curcontext=$curcontext socket
  typeset -A opt_args
  _arguments -C ${lines(program.options.flatMap(optionSpec), '    ')} \\
    '1:command:_fd_broker_commands' '*::argument:->argument'
  socket=\${(Q)opt_args[--socket]}
  [[ $state == argument ]] || return
  case $words[1] in
${commands.map((command) => commandCase(command, program.options)).join('\n')}
  esac
}

if [[ $funcstack[1] == _fd_broker ]]; then _fd_broker "$@"; else compdef _fd_broker fd-broker; fi
`
}
