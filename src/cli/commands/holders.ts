import type { Command } from 'commander'
import type { Broker, HoldersOptions } from '../../client/index.ts'
import type { HolderView } from '../../protocol/messages.ts'
import type { Env } from '../env.ts'
import { ask, printJson, printTable, type ReaderOptions, readerCommand } from '../reader.ts'
import { isGlob, isUser, oneOfOption, type SelectOptions, type SortKeys, selectNames, sortRows } from '../select.ts'
import { withoutDirectory } from '../short-command.ts'
import { type Column, formatDuration } from '../table.ts'

const columns = (now: number): readonly Column<HolderView>[] => [
  { heading: 'LEASE', align: 'right', cell: ({ lease }) => String(lease ?? '-') },
  { heading: 'NAME', cell: ({ name }) => name },
  { heading: 'PID', align: 'right', cell: ({ pid }) => String(pid) },
  { heading: 'USER', cell: ({ user }) => user },
  { heading: 'COMMAND', cell: ({ command }) => shortenCommand(command, 40) },
  { heading: 'GENERATION', cell: ({ generation }) => generation ?? '-' },
  { heading: 'STATE', cell: state },
  { heading: 'SINCE', align: 'right', cell: ({ since }) => (since === null ? '-' : formatDuration(now - since)) },
]

const wideColumns = (now: number): readonly Column<HolderView>[] => [
  ...columns(now),
  { heading: 'DEADLINE', align: 'right', cell: (view) => (view.lease === null ? '-' : timeTo(view.deadline, now)) },
  { heading: 'UNIT', cell: ({ unit, container }) => [unit, container].filter(Boolean).join(' ') || '-' },
  { heading: 'STATUS', cell: (view) => (view.lease === null ? '-' : (view.status ?? '-')) },
]

function timeTo(deadline: number | undefined, now: number): string {
  if (deadline === undefined) return '-'
  return deadline >= now ? `in ${formatDuration(deadline - now)}` : `${formatDuration(now - deadline)} ago`
}

/** `undeclared (from 7)`: a descendant of the holder of lease 7. */
function state(view: HolderView): string {
  if (view.lease !== null || view.inheritedFrom === undefined) return view.state
  return `${view.state} (from ${view.inheritedFrom})`
}

function shortenCommand(command: string, width: number): string {
  return shorten(command.length <= width ? command : withoutDirectory(command), width)
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`
}

const STATES = ['granted', 'ready', 'draining', 'undeclared']

const SORT: SortKeys<HolderView> = {
  lease: ({ lease }) => -(lease ?? Number.MAX_SAFE_INTEGER),
  name: ({ name }) => name,
  pid: ({ pid }) => -pid,
  user: ({ user }) => user,
  state: ({ state }) => STATES.indexOf(state) * -1,
  since: ({ since }) => -(since ?? Number.MAX_SAFE_INTEGER),
}

interface Options extends ReaderOptions, SelectOptions {
  wide?: boolean
}

export function addHolders(program: Command, env: Env): Command {
  const command = readerCommand('holders', 'who has the sockets, with a lease and without')
    .argument('[name...]', 'only the holders of these names; * and ? stand for any characters and for one')
    .option('--user <user>', 'only those of this user (name or uid)')
    .addOption(oneOfOption('--state <state>', 'only those in this state', STATES))
    .addOption(oneOfOption('--sort <key>', 'in this order', Object.keys(SORT)))
    .option('--reverse', 'the other way round')
    .option('--wide', 'with the columns DEADLINE, UNIT and STATUS')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action(globs: string[], options: Options): Promise<void> {
    const { json, state, user, wide } = options
    let hidden = 0
    const unseen = (processes: number) => {
      hidden = processes
    }
    const views = await ask(command, env, (broker) => holdersOf(broker, globs, { unseen }))
    const chosen = views.filter(
      (view) => (state === undefined || view.state === state) && (user === undefined || isUser(view, user)),
    )
    const holders = sortRows(chosen, SORT, options)
    if (json) printJson(env, { holders, ...(hidden > 0 && { unseen: hidden }) })
    else printTable(env, (wide ? wideColumns : columns)(env.now()), holders)
    if (hidden > 0) env.stderr.write(`fd-broker: ${unseenText(hidden)}\n`)
  }
}

/** The broker looks for one name cheaper than for all, and knows whether it exists. */
async function holdersOf(broker: Broker, globs: readonly string[], options: HoldersOptions): Promise<HolderView[]> {
  const [first] = globs
  if (first === undefined || (globs.length === 1 && !isGlob(first))) return broker.holders(first, options)
  const names = (await broker.list()).map(({ name }) => name)
  return selectNames(await broker.holders(undefined, options), globs, names)
}

function unseenText(processes: number): string {
  const remedy = 'give the broker CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (docs/systemd.md)'
  return `${processes === 1 ? '1 process' : `${processes} processes`} could not be looked into, and may have undeclared copies: ${remedy}`
}

const HELP = `
STATE is granted (has the socket), ready (serves), draining (was asked to stop), or undeclared: the process has the socket open
without a lease, from the holder of the lease that is named, or as a leak. SINCE is how long the lease has been so.
With --wide: DEADLINE, by when it is to be ready or to have gone; UNIT, systemd's, and the container; STATUS, in the program's
own words.
How many processes the broker may not look into is said on standard error: copies that those have are missing.
The kernel says who holds a lease: pid and user are not the worker's own words.

Examples:
  fd-broker holders
  fd-broker holders web --json
  fd-broker holders --wide
  fd-broker holders --state undeclared
  fd-broker holders 'api/*' --user www-data --sort since`
