// Writes the manual pages to dist/man: fd-broker(1) from the table of commands, as --help shows it, and fd-broker.toml(5) from
// docs/configuration.md. Run by scripts/build.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { COMMANDS } from '../dist/cli/commands.js'
import { commandShape, visibleCommands } from '../dist/cli/completion/shape.js'
import { buildProgram } from '../dist/cli/run.js'
import { escapeRoff, example, manFromMarkdown } from './roff.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

/** https://reproducible-builds.org/specs/source-date-epoch */
const seconds = process.env.SOURCE_DATE_EPOCH
const date = new Date(seconds === undefined ? Date.now() : Number(seconds) * 1000).toISOString().slice(0, 10)

const head = (page, section) => `.TH ${page} ${section} "${date}" "fd\\-broker ${version}"`

const program = await buildProgram({ stdout: { write() {} }, stderr: { write() {} } }, Object.keys(COMMANDS))

/** What is said after the options: paragraphs, and lines that are set in as examples. */
function after(command) {
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part), getOutHasColors: () => false })
  command.outputHelp()
  const said = text.slice(command.helpInformation().length).trim()
  return said.split('\n').flatMap((line) => {
    if (/^ {2}/.test(line)) return [['example', line.slice(2)]]
    return [[line === '' ? 'gap' : 'text', line]]
  })
}

function prose(lines) {
  const out = []
  for (let at = 0; at < lines.length; ) {
    const [kind] = lines[at]
    let end = at
    while (end < lines.length && lines[end][0] === kind) end++
    const texts = lines.slice(at, end).map(([, text]) => text)
    if (kind === 'example') out.push(...example(texts))
    else if (kind === 'text') out.push('.PP', ...texts.map(escapeRoff))
    at = end
  }
  return out
}

const term = (text, description) => ['.TP', `\\fB${escapeRoff(text)}\\fR`, escapeRoff(description) || '\\&']

function options({ options }) {
  return options.flatMap(({ short, long, placeholder, description, value }) => {
    const words = value?.kind === 'words' ? value.words.join(', ') : ''
    const said = description.includes(words) ? description : `${description}: ${words}`
    return term(`${short ? `${short}, ` : ''}${long}${placeholder ? ` ${placeholder}` : ''}`, said)
  })
}

const usage = ({ name, arguments: all }) => [name, '[options]', ...all.map(({ placeholder }) => placeholder)].join(' ')

function section(command) {
  const shape = commandShape(command)
  return [
    `.SS "${escapeRoff(usage(shape))}"`,
    `${escapeRoff(shape.description)}.`,
    ...shape.arguments
      .filter(({ description }) => description !== '')
      .flatMap(({ placeholder, description }) => term(placeholder, description)),
    ...options(shape),
    ...command.commands.flatMap((inner) => term(usage(commandShape(inner)), inner.description())),
    ...prose(after(command)),
  ]
}

/** What --help of the program ends with, in sections of its own: below the last command it would seem that command's. */
function closing(lines) {
  const examples = lines.filter(([kind]) => kind === 'example')
  const status = lines.find(([, text]) => text.startsWith('Exit status: '))[1].slice('Exit status: '.length)
  return ['.SH EXAMPLES', ...prose(examples), '.SH "EXIT STATUS"', escapeRoff(status)]
}

const commands = visibleCommands(program)
const shape = commandShape(program)

const fdBroker = [
  head('FD\\-BROKER', 1),
  '.SH NAME',
  'fd\\-broker \\- owns listening sockets and passes them, by name, to the processes that serve them',
  '.SH SYNOPSIS',
  '\\fBfd\\-broker\\fR [options] \\fIcommand\\fR [argument ...]',
  '.SH OPTIONS',
  ...options(shape),
  '.SH COMMANDS',
  ...commands.flatMap(section),
  ...closing(after(program)),
  '.SH FILES',
  ...term(
    '/etc/fd-broker/broker.toml',
    'the configuration of a broker of root; a user’s is ~/.config/fd-broker/broker.toml',
  ),
  ...term('/run/fd-broker/control.sock', 'the control socket; a user’s is $XDG_RUNTIME_DIR/fd-broker/control.sock'),
  ...term('/usr/share/doc/fd-broker', 'the documents that are named here as docs/…, where deploy/install has put them'),
  '.SH ENVIRONMENT',
  ...term('FD_BROKER_SOCKET', 'the control socket, where --socket is not given'),
  ...term('FD_BROKER_TOKEN', 'the secret that a token: rule asks for'),
  ...term('NO_COLOR', 'no colours and no bold headings'),
  '.SH "SEE ALSO"',
  '.BR fd\\-broker.toml (5),',
  '.BR sd_listen_fds (3),',
  '.BR systemd.socket (5)',
]

const configuration = [
  head('FD\\-BROKER.TOML', 5),
  '.SH NAME',
  'fd\\-broker.toml \\- the configuration of fd\\-broker',
  '.SH DESCRIPTION',
  ...manFromMarkdown(readFileSync(`${root}docs/configuration.md`, 'utf8')).filter(
    (line, at) => !(at === 0 && line === '.PP'),
  ),
  '.SH "SEE ALSO"',
  '.BR fd\\-broker (1)',
]

mkdirSync(`${root}dist/man`, { recursive: true })
for (const [file, lines] of [
  ['fd-broker.1', fdBroker],
  ['fd-broker.toml.5', configuration],
]) {
  const paragraphs = lines.filter((line, at) => !(line === '.PP' && /^\.(SH|SS|PP)\b/.test(lines[at - 1] ?? '')))
  writeFileSync(`${root}dist/man/${file}`, `${paragraphs.join('\n')}\n`)
}
