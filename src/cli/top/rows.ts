// Which names are shown, and in which order.

import type { NameView, SocketFigures } from '../../protocol/messages.ts'

/** The order in which `s` goes through them. `config`: as the broker lists them. */
export const SORTS = ['config', 'name', 'queue', 'drops', 'holders', 'state'] as const
export type Sort = (typeof SORTS)[number]

/** 0 to 1; more when the kernel lets one more in than the backlog says. */
export function ratioOf({ queue, limit }: Pick<SocketFigures, 'queue' | 'limit'>): number {
  return queue === null || !limit ? 0 : queue / limit
}

/** Of a name with several sockets the fullest counts: it is the one that drops first. */
export function fullest({ sockets }: NameView): SocketFigures | undefined {
  return sockets.reduce<SocketFigures | undefined>(
    (most, socket) => (most === undefined || ratioOf(socket) > ratioOf(most) ? socket : most),
    undefined,
  )
}

export const dropsOf = ({ sockets }: NameView) => sockets.reduce((sum, { drops }) => sum + drops, 0)

export const holdersOf = ({ holders: { granted, ready, draining } }: NameView) => granted + ready + draining

const queueRatio = (view: NameView) => {
  const socket = fullest(view)
  return socket === undefined ? 0 : ratioOf(socket)
}

/** What needs somebody first. */
const URGENCY: readonly string[] = ['lost', 'saturated', 'handing-over', 'paused', 'repaired', 'idle', 'ok']

const ORDERS: Readonly<Record<Sort, (a: NameView, b: NameView) => number>> = {
  config: () => 0,
  name: (a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)),
  queue: (a, b) => queueRatio(b) - queueRatio(a),
  drops: (a, b) => dropsOf(b) - dropsOf(a),
  holders: (a, b) => holdersOf(b) - holdersOf(a),
  state: (a, b) => URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state),
}

/** `filter` is a part of the name, an address or the state, whatever the case. */
export function visibleNames(names: readonly NameView[], filter: string, sort: Sort): NameView[] {
  const wanted = filter.toLowerCase()
  const texts = ({ name, state, sockets }: NameView) => [name, state, ...sockets.map(({ address }) => address)]
  const matching = names.filter((view) => texts(view).some((text) => text.toLowerCase().includes(wanted)))
  return matching.sort(ORDERS[sort])
}
