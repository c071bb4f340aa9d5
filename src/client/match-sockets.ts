import type { SocketDescription } from '../protocol/messages.ts'

/** A server takes the one for the other: Node decides by it what accepts, and of which family a datagram socket is. */
function kindOf({ type, address }: SocketDescription): string {
  return type === 'udp' ? `${type} ${address.startsWith('udp://[')}` : type
}

const LIKENESS: readonly ((a: SocketDescription, b: SocketDescription) => boolean)[] = [
  (a, b) => a.cookie === b.cookie,
  (a, b) => a.address === b.address && a.type === b.type,
  (a, b) => kindOf(a) === kindOf(b),
]

/** For each of the new sockets, the place of the former one that it is or that it succeeds; undefined for one more than before. */
export function matchSockets(
  former: readonly SocketDescription[],
  next: readonly SocketDescription[],
): (number | undefined)[] {
  const places = new Array<number | undefined>(next.length).fill(undefined)
  for (const like of LIKENESS) {
    for (const [at, socket] of next.entries()) {
      if (places[at] !== undefined) continue
      const place = former.findIndex((old, index) => !places.includes(index) && like(old, socket))
      if (place >= 0) places[at] = place
    }
  }
  return places
}
