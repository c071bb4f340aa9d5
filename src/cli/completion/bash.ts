import { type CommandShape, chosenOf, flatten, helpShape, runsProgram, type Value } from './shape.ts'

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

const flags = ({ options }: CommandShape) =>
  options.flatMap(({ long, short }) => (short ? [short, long] : [long])).join(' ')

/** What `_fd_broker_offer` is called with. */
function offer(value: Value): string {
  return value.kind === 'words' ? `words ${quote(value.words.join(' '))}` : value.kind
}

/** For bash 4 and later; needs nothing of the bash-completion package. */
export function bashCompletion(program: CommandShape): string {
  const commands = flatten(program.commands)
  const groups = program.commands.filter(({ commands }) => commands.length > 0).map(({ name }) => ` | ${name}`)
  const programs = commands.filter(runsProgram).map(({ name }) => name)
  const valued = (shape: CommandShape) =>
    shape.options.flatMap(({ long, value }) => (value ? [{ pattern: `${shape.name}:${long}`, value }] : []))
  const values = [
    ...commands.flatMap(valued),
    ...program.options.flatMap(({ long, value }) => (value ? [{ pattern: `*:${long}`, value }] : [])),
  ]
  const places = [...commands, helpShape(program)].flatMap(({ name, arguments: all }) =>
    all.map(({ value, variadic }, at) => ({ pattern: `${name}:${variadic ? '*' : at}`, value })),
  )
  const cases = (rows: readonly { pattern: string; value: Value }[]) =>
    rows
      .map(({ pattern, value }) => `    ${pattern.replace(/^\*/, '*')}) _fd_broker_offer ${offer(value)} ;;`)
      .join('\n')
  return `# bash completion of fd-broker: source <(fd-broker completion bash)

_fd_broker_offer() {
  local kind=$1 before='' word
  case $kind in
    names | name-list)
      [[ $kind == name-list && $current == *,* ]] && before=\${current%,*},
      while IFS= read -r word; do
        [[ $before$word == "$current"* ]] && COMPREPLY+=("$before$word")
      done < <(fd-broker \${socket:+--socket "$socket"} complete-names 2>/dev/null)
      ;;
    words) COMPREPLY=($(compgen -W "$2" -- "$current")) ;;
    files) COMPREPLY=($(compgen -f -- "$current")) && compopt -o filenames ;;
    users) COMPREPLY=($(compgen -u -- "$current")) ;;
    program) COMPREPLY=($(compgen -c -- "$current")) ;;
  esac
}

_fd_broker() {
  local current=\${COMP_LINE:0:COMP_POINT} words command='' socket=\${FD_BROKER_SOCKET:-} place=0 pending='' word lead at
  read -ra words <<<"$current"
  [[ $current == *[[:space:]] ]] && words+=('')
  current=\${words[-1]}
  COMPREPLY=()
  for word in "\${words[@]:1:\${#words[@]}-2}"; do
    if [[ -n $pending ]]; then
      [[ $pending == --socket ]] && socket=$word
      pending=''
    elif [[ $word == -- ]]; then
      # What follows is another program's line.
      case $command in ${programs.join(' | ')}) place=100 ;; esac
    elif (( place >= 100 )); then
      (( place += 1 ))
    elif [[ $word == --socket=* ]]; then
      socket=\${word#*=}
    elif [[ $word == -* ]]; then
      _fd_broker_takes_value "$command" "$word" && pending=$word
    else
      case $command in
        ''${groups.join('')}) command+=\${command:+/}$word ;;
        *) (( place += 1 )) ;;
      esac
    fi
  done
  if [[ -n $pending ]]; then
    _fd_broker_value "$command:$pending"
  elif (( place > 100 )); then
    _fd_broker_offer files
  elif (( place == 100 )); then
    _fd_broker_offer program
  elif [[ $current == -* ]]; then
    case $command in
      '') _fd_broker_offer words ${quote(flags(program))} ;;
${commands.map((shape) => `      ${shape.name}) _fd_broker_offer words ${quote(flags(shape))} ;;`).join('\n')}
    esac
  elif [[ -z $command ]]; then
    _fd_broker_offer ${offer(chosenOf([...program.commands, helpShape(program)]).value)}
  else
    _fd_broker_place "$command:$place"
  fi
  # readline replaces only what stands after the last of COMP_WORDBREAKS.
  lead=\${current%"\${COMP_WORDS[COMP_CWORD]}"}
  for at in "\${!COMPREPLY[@]}"; do COMPREPLY[at]=\${COMPREPLY[at]#"$lead"}; done
}

_fd_broker_takes_value() {
  case $1:$2 in
${values.map(({ pattern }) => `    ${pattern}) return 0 ;;`).join('\n')}
  esac
  return 1
}

_fd_broker_value() {
  case $1 in
${cases(values)}
  esac
}

_fd_broker_place() {
  case $1 in
${cases(places)}
  esac
}

complete -F _fd_broker fd-broker
`
}
