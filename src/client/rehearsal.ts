// Who waits in a line may wait for days, and is to be quick then. The grant is the first that this process ever gets, and what V8
// has not run yet it has not compiled: that takes longer than all the rest of a hand-over. So the way of a grant is taken a few times
// while there is time, with a broker at the other end of a socketpair, and a socket that nobody else knows of.

import { setTimeout as sleep } from 'node:timers/promises'
import { decodeMessage } from '../protocol/decode.ts'
import { encode } from '../protocol/encode.ts'
import { BrokerError } from '../protocol/errors.ts'
import { REPLY_MAX } from '../protocol/limits.ts'
import { Channel, type OwnedFd, socketCookie, socketPair } from '../sys/index.ts'
import { type Acquirer, acquire } from './acquire.ts'
import { closeAll } from './answers.ts'
import { Connection } from './connection.ts'
import { SpareFd } from './spare-fd.ts'

const NAME = 'rehearsal'
/**
 * Code that V8 optimises on other threads is put in place by the next JavaScript that runs, which is not to be that of the grant: so
 * the later ones come after a pause.
 */
const ROUNDS = [100, 10, 10]
const PAUSE_MS = 20
const TIMEOUT = 10_000

/** Whoever is granted sooner does not stand in a line. */
const AFTER_MS = 10

/** What settles as its argument does; the first time that takes a while, `act` is called meanwhile. */
export function whileWaiting(act: () => Promise<unknown>): <T>(waiting: Promise<T>) => Promise<T> {
  let acted = false
  return async (waiting) => {
    if (acted) return await waiting
    const timer = setTimeout(() => {
      if (acted) return
      acted = true
      // Of use to this process alone, and of none where descriptors are scarce.
      act().catch(() => {})
    }, AFTER_MS).unref()
    try {
      return await waiting
    } finally {
      clearTimeout(timer)
    }
  }
}

export const rehearseMeanwhile = whileWaiting(() => rehearse())

/** Takes some tens of milliseconds of this thread, in small pieces. Rejects where it cannot be done; nothing is left of it. */
export async function rehearse(parts: readonly number[] = ROUNDS): Promise<void> {
  const sockets: OwnedFd[] = []
  try {
    sockets.push(...socketPair('SOCK_SEQPACKET'))
    sockets.push(...socketPair('SOCK_DGRAM'))
    await takeTurns(sockets, parts)
  } finally {
    closeAll(sockets)
  }
}

async function takeTurns([ours, theirs, granted]: readonly OwnedFd[], parts: readonly number[]): Promise<void> {
  const connection = Connection.over(ours!, NAME)
  const broker = playBroker(theirs!, granted!)
  const session = acquirerOn(connection)
  try {
    for (const rounds of parts) {
      for (let round = 0; round < rounds; round++) await takeTurn(session)
      await sleep(PAUSE_MS, undefined, { ref: false })
    }
  } finally {
    connection.close(new BrokerError('CLOSED', 'the rehearsal is over'))
    broker.close()
    session.spare.retire()
  }
}

async function takeTurn(session: Acquirer): Promise<void> {
  const lease = await acquire(session, NAME, {}, {})
  await lease.ready()
  await lease.release()
}

/** Answers as a broker does, as far as it is asked here. */
function playBroker(socket: OwnedFd, granted: OwnedFd): Channel {
  const cookie = socketCookie(granted.fd)
  const grant = {
    name: NAME,
    generation: 'g1',
    state: 'granted',
    readyWithin: TIMEOUT,
    mode: 'exclusive',
    sockets: [{ type: 'unix-dgram', address: `unix-dgram://@${NAME}`, backlog: 1, cookie }],
  }
  let lease = 0
  const answer = (bytes: Uint8Array) => {
    const { id, op } = decodeMessage(bytes, false)
    if (op === 'acquire') channel.send(encode({ id, ok: true, lease: ++lease, ...grant }), [granted.fd])
    else channel.send(encode({ id, ok: true, ...(op === 'ready' && { state: 'ready', promoted: true }) }))
  }
  const channel = new Channel(
    socket,
    { message: answer, close: () => {} },
    { receiveLimit: REPLY_MAX, acceptFds: false },
  )
  return channel
}

function acquirerOn(connection: Connection): Acquirer {
  return {
    timeout: TIMEOUT,
    spare: new SpareFd(),
    leases: new Set(),
    lines: new Set(),
    ended: undefined,
    away: () => new BrokerError('CLOSED', 'the rehearsal is over'),
    connection: async () => connection,
    mayRetry: () => false,
    willReclaim: () => false,
    assertOpen: () => {},
  }
}
