import type { Command } from 'commander'
import type { Broker } from '../../client/index.ts'
import type { NameView, SocketFigures } from '../../protocol/messages.ts'
import { quote } from '../../protocol/quote.ts'
import type { Env } from '../env.ts'
import { ask, printJson, printTable, type ReaderOptions, readerCommand } from '../reader.ts'
import { isUser, oneOfOption, type SelectOptions, type SortKeys, selectNames, sortRows } from '../select.ts'
import type { Column } from '../table.ts'

/** One line a socket; what belongs to the name stands on its first. */
interface Row {
  view: NameView | undefined
  socket: SocketFigures | undefined
}

const figure = (value: number | null | undefined) => value?.toString() ?? '-'

export const LIST_COLUMNS: readonly Column<Row>[] = [
  { heading: 'NAME', cell: ({ view }) => view?.name ?? '' },
  { heading: 'ADDRESS', cell: ({ socket }) => socket?.address ?? '-' },
  { heading: 'MODE', cell: ({ view }) => view?.mode ?? '' },
  { heading: 'GEN', cell: ({ view }) => view?.generation ?? '' },
  { heading: 'HOLDERS', cell: ({ view }) => (view === undefined ? '' : holders(view)) },
  { heading: 'QUEUE', align: 'right', cell: ({ socket }) => `${figure(socket?.queue)}/${figure(socket?.limit)}` },
  { heading: 'DROPS', align: 'right', cell: ({ socket }) => figure(socket?.drops) },
  { heading: 'STATE', cell: ({ view }) => (view === undefined ? '' : state(view)) },
]

/** Ready of all, and who waits: `2/3`, `1/1+4`. */
function holders({ holders: { granted, ready, draining }, waiting }: NameView): string {
  return `${ready}/${granted + ready + draining}${waiting > 0 ? `+${waiting}` : ''}`
}

/** `handing-over (pid 4711)`: who must leave first. `lost (pid 4711)`: who has its address. */
function state({ state, waitingFor = [], lostTo }: NameView): string {
  if (lostTo !== undefined) return `${state} (pid ${lostTo})`
  if (state !== 'handing-over' || waitingFor.length === 0) return state
  return `${state} (pid ${waitingFor.slice(0, 3).join(', ')}${waitingFor.length > 3 ? ', …' : ''})`
}

const STATES = ['lost', 'paused', 'handing-over', 'saturated', 'repaired', 'idle', 'ok']

const total = ({ sockets }: NameView, figure: 'queue' | 'drops') =>
  sockets.reduce((sum, socket) => sum + (socket[figure] ?? 0), 0)

const SORT: SortKeys<NameView> = {
  name: ({ name }) => name,
  queue: (view) => total(view, 'queue'),
  drops: (view) => total(view, 'drops'),
  holders: ({ holders: { granted, ready, draining } }) => granted + ready + draining,
  waiting: ({ waiting }) => waiting,
  state: ({ state }) => STATES.indexOf(state) * -1,
}

interface ListOptions extends ReaderOptions, SelectOptions {}

export function addList(program: Command, env: Env): Command {
  const command = readerCommand('list', 'the names, their sockets, and how full the queues are')
    .argument('[name...]', 'only these names; * and ? stand for any characters and for one')
    .option('--user <user>', 'only names that this user (name or uid) has a lease on')
    .addOption(oneOfOption('--state <state>', 'only names in this state', STATES))
    .addOption(oneOfOption('--sort <key>', 'figures from the largest, words from a to z', Object.keys(SORT)))
    .option('--reverse', 'the other way round')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action(globs: string[], options: ListOptions): Promise<void> {
    const { json, state, user } = options
    const views = await ask(command, env, async (broker) => {
      const all = selectNames(await broker.list(), globs)
      if (user === undefined) return all
      const held = await namesOf(broker, user)
      if (held.size === 0) env.stderr.write(`fd-broker: user ${quote(user)} has no lease\n`)
      return all.filter(({ name }) => held.has(name))
    })
    const chosen = views.filter((view) => state === undefined || view.state === state)
    const names = sortRows(chosen, SORT, options)
    if (json) return printJson(env, { sockets: names })
    printTable(env, LIST_COLUMNS, names.flatMap(listRows))
  }
}

async function namesOf(broker: Broker, user: string): Promise<Set<string>> {
  const holders = await broker.holders(undefined, { undeclared: false })
  return new Set(holders.filter((holder) => isUser(holder, user)).map(({ name }) => name))
}

export function listRows(view: NameView): Row[] {
  const [first, ...others] = view.sockets
  return [{ view, socket: first }, ...others.map((socket) => ({ view: undefined, socket }))]
}

const HELP = `
HOLDERS is ready/all, and +N when N wait. QUEUE is what waits in the kernel now, of its limit: connections
for a listener, bytes for a datagram socket; "-" where the kernel has no figure. DROPS counts since the socket was made.

Examples:
  fd-broker list
  fd-broker list 'api/*' --state saturated
  fd-broker list --sort queue
  fd-broker list --json | jq '.sockets[] | {name, state}'`
