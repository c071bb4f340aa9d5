import type { Command } from 'commander'
import type { NameView, SocketFigures } from '../../protocol/messages.ts'
import type { Env } from '../env.ts'
import { ask, printJson, printTable, type ReaderOptions, readerCommand } from '../reader.ts'
import type { Column } from '../table.ts'

/** One line a socket; what belongs to the name stands on its first. */
interface Row {
  view: NameView | undefined
  socket: SocketFigures | undefined
}

const figure = (value: number | null | undefined) => value?.toString() ?? '-'

const COLUMNS: readonly Column<Row>[] = [
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

/** `handing-over (pid 4711)`: who must leave first. */
function state({ state, waitingFor = [] }: NameView): string {
  if (state !== 'handing-over' || waitingFor.length === 0) return state
  return `${state} (pid ${waitingFor.slice(0, 3).join(', ')}${waitingFor.length > 3 ? ', …' : ''})`
}

export function addList(program: Command, env: Env): Command {
  const command = readerCommand('list', 'the names, their sockets, and how full the queues are')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json }: ReaderOptions): Promise<void> {
    const names = await ask(command, env, (broker) => broker.list())
    if (json) return printJson(env, { sockets: names })
    printTable(env, COLUMNS, names.flatMap(rows))
  }
}

function rows(view: NameView): Row[] {
  const [first, ...others] = view.sockets
  return [{ view, socket: first }, ...others.map((socket) => ({ view: undefined, socket }))]
}

const HELP = `
HOLDERS is ready/all, and +N when N wait. QUEUE is what waits in the kernel now, of its limit: connections
for a listener, bytes for a datagram socket; "-" where the kernel has no figure. DROPS counts since the socket was made.

Examples:
  fd-broker list
  fd-broker list --json | jq '.sockets[] | {name, state}'`
