import { type CommandShape, flatten, helpShape, type OptionShape, runsProgram, type Value } from './shape.ts'

const quote = (text: string) => `'${text.replaceAll(/[\\']/g, '\\$&')}'`

/** What `complete` is told of a value. */
function offer(value: Value): string {
  switch (value.kind) {
    case 'names':
      return `-x -a ${quote('(__fd_broker_names)')}`
    case 'name-list':
      return `-x -a ${quote('(__fish_complete_list , __fd_broker_names)')}`
    case 'files':
      return '-r -F'
    case 'users':
      return `-x -a ${quote('(__fish_complete_users)')}`
    case 'words':
      return `-x -a ${quote(value.words.join(' '))}`
    case 'program':
      return `-x -a ${quote('(__fd_broker_program)')}`
    case 'anything':
      return '-x'
  }
}

function optionLine({ long, short, description, value }: OptionShape, condition: string): string {
  const flags = `${short ? `-s ${short.slice(1)} ` : ''}-l ${long.slice(2)}`
  return `complete -c fd-broker ${condition} ${flags} -d ${quote(description)}${value ? ` ${offer(value)}` : ''}`
}

/** Arguments of a command at a place; a program's after `--`. */
function argumentLines({ name, arguments: all }: CommandShape): string[] {
  return all
    .filter(({ value }) => value.kind !== 'anything')
    .map(({ value, variadic }, at) => {
      const place = value.kind === 'program' ? `${name}/--` : variadic ? name : `${name} ${at}`
      return `complete -c fd-broker -n ${quote(`__fd_broker_at ${place}`)} ${offer(value).replace(/^-r /, '')}`
    })
}

function commandLines(command: CommandShape): string[] {
  const inside = `-n ${quote(`__fd_broker_at ${command.name}`)}`
  return [...command.options.map((option) => optionLine(option, inside)), ...argumentLines(command)]
}

/** With what it does, where its name is asked for. */
function nameLine({ name, description }: CommandShape): string {
  return `complete -c fd-broker -n '__fd_broker_at ""' -f -a ${name} -d ${quote(description)}`
}

export function fishCompletion(program: CommandShape): string {
  const commands = flatten(program.commands)
  const groups = program.commands.filter(({ commands }) => commands.length > 0).map(({ name }) => name)
  const valued = (scope: string, { options }: CommandShape) =>
    options.flatMap(({ long, value }) => (value ? [`${scope}:${long}`] : []))
  return `# fish completion of fd-broker: fd-broker completion fish >~/.config/fish/completions/fd-broker.fish

function __fd_broker_line --description 'the command, how many words follow it, the value of --socket: a line each'
    set -l command
    set -l place 0
    set -l socket
    set -l pending
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        if test -n "$pending"
            test $pending = --socket; and set socket $word
            set pending
            continue
        end
        switch $word
            case --
                # What follows is another program's line.
                if contains -- "$command" ${commands
                  .filter(runsProgram)
                  .map(({ name }) => name)
                  .join(' ')}
                    set command $command/--
                    break
                end
            case '--socket=*'
                set socket (string replace -- --socket= '' $word)
            case '-*'
                if contains -- "$command:$word" ${commands.flatMap((shape) => valued(shape.name, shape)).join(' ')}
                    or contains -- $word ${valued('', program).join(' ').replaceAll(':', '')}
                    set pending $word
                end
            case '*'
                if test -z "$command"
                    set command $word
                else if contains -- $command ${groups.join(' ')}
                    set command $command/$word
                else
                    set place (math $place + 1)
                end
        end
    end
    printf '%s\\n' "$command" $place "$socket"
end

function __fd_broker_at --description 'whether the cursor is in a command, and at a place of it'
    set -l line (__fd_broker_line)
    test "$line[1]" = "$argv[1]"; or return
    test (count $argv) -eq 1; or test $line[2] -eq $argv[2]
end

function __fd_broker_names
    set -l socket (__fd_broker_line)[3]
    if test -n "$socket"
        fd-broker --socket $socket complete-names 2>/dev/null
    else
        fd-broker complete-names 2>/dev/null
    end
end

function __fd_broker_program
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- -- $words)]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c fd-broker -f
${[
  ...program.options.map((option) => optionLine(option, '')),
  ...program.commands.map(nameLine),
  nameLine(helpShape(program)),
  ...[...commands, helpShape(program)].flatMap(commandLines),
].join('\n')}
`
}
