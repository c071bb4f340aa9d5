// The grant to a standby after a crash is often the first of its kind that this broker makes, and what V8 has not run it has not
// compiled: that takes longer than all the rest. So another broker, which nobody can reach and which keeps nothing, has made such
// grants before in the same process: a holder ends, the one that waits is granted, the next one stands in the line.

import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { createMemoryFile, dupAll, type OwnedFd, socketPair } from '../sys/index.ts'
import { Broker } from './broker.ts'
import type { Config, NameModel } from './config/model.ts'
import { KeptDescriptors } from './kept-descriptors.ts'
import type { Log } from './log.ts'
import { Session } from './session.ts'
import { Sockets } from './sockets.ts'
import { noPast } from './state/past.ts'

const NAME: NameModel = {
  core: {
    name: 'rehearsal',
    mode: 'exclusive',
    rules: [[{ kind: 'any' }]],
    quorum: 1,
    maxGenerations: 4,
    maxHolders: 1024,
    maxDraining: 1024,
    readyTimeout: 60_000,
    drainTimeout: 30_000,
    onDrainTimeout: 'keep',
    promoteTimeout: 300_000,
  },
  // Of no use to whoever finds it: nobody reads.
  addresses: [{ type: 'unix-dgram', path: `@fd-broker-rehearsal-${process.pid}` }],
  backlog: 1,
  options: {},
  idleGrace: 0,
  guard: true,
}

/** The later ones come after a pause: what V8 optimised meanwhile on other threads is put in place by the next JavaScript that runs. */
const ROUNDS = [50, 5, 5]
const PAUSE_MS = 20
/** In one go: others are served in between. */
const SLICE = 2
const AFTER_MS = 20
/** Descriptors that must be free: more than a rehearsal takes, for what it takes others may need at the same time. */
const ROOM = 32

/** What to call whenever somebody waits for the end of an exclusive name's holder: the first time, `act` is called soon after. */
export function onFirstStandby(act: () => Promise<unknown>, log: Log): () => void {
  let acted = false
  return () => {
    if (acted) return
    acted = true
    setTimeout(() => {
      act().catch((error) => log.debug({ err: error }, 'a crash could not be rehearsed'))
    }, AFTER_MS).unref()
  }
}

/** How many grants it made, in pieces of the event loop. Rejects where it cannot be done; nothing is left of it. */
export async function rehearse(config: Config, parts: readonly number[] = ROUNDS): Promise<number> {
  requireRoom()
  const stage = new Stage(config)
  try {
    stage.begin()
    for (const rounds of parts) {
      for (let round = 0; round < rounds; round++) {
        stage.crash()
        if (round % SLICE === SLICE - 1) await nextTurn()
      }
      await sleep(PAUSE_MS, undefined, { ref: false })
    }
    return stage.grants
  } finally {
    await stage.close()
  }
}

/** Throws where they are not free: a broker of which a part cannot be made leaves the other parts behind. */
function requireRoom(): void {
  using one = createMemoryFile('fd-broker-room')
  for (const copy of dupAll(Array.from({ length: ROOM }, () => one.fd))) copy.close()
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

interface Worker {
  session: Session
  /** The other end of its connection, where nobody reads. */
  far: OwnedFd
}

class Stage {
  private readonly sockets: Sockets
  private readonly broker: Broker
  private readonly workers: Worker[] = []
  private last = 0

  constructor(config: Config) {
    const kept = new KeptDescriptors({
      keeps: true,
      put: () => {},
      retain: () => {},
      delete: () => {},
      take: () => new Map(),
    })
    const alone = { ...config, names: new Map([[NAME.core.name, NAME]]) }
    this.sockets = new Sockets(kept)
    this.sockets.open(alone.names.values())
    try {
      this.broker = new Broker(alone, this.sockets, pino({ enabled: false }), { ...noPast(), kept })
    } catch (error) {
      this.sockets.closeAll()
      throw error
    }
  }

  begin(): void {
    this.broker.begin()
    this.standInLine()
  }

  get grants(): number {
    return this.broker.counters.grants
  }

  /** The holder ends, and the one that waits is granted. */
  crash(): void {
    this.standInLine()
    const [holder, standby] = this.workers as [Worker, Worker]
    this.broker.step({ type: 'exit', process: holder.session.process })
    const [lease] = this.broker.registry.leases.keys()
    this.broker.step({ type: 'ready', connection: standby.session.id, request: 2, lease: lease! })
    this.leave()
  }

  /** A process of its own, as far as the broker knows: one of another pid namespace, which cannot be watched. */
  private standInLine(): void {
    const { broker } = this
    const id = ++this.last
    const peer = { pid: 0, uid: 0, gid: 0, groups: [], pidfd: undefined, identity: `rehearsal ${id}` }
    const process = broker.processes.join(peer)
    const [near, far] = socketPair('SOCK_SEQPACKET')
    const session = new Session(id, near, peer, process, broker)
    broker.sessions.set(id, session)
    this.workers.push({ session, far })
    const holder = broker.holderOf(session)
    const asked = { takeover: false, wait: -1, ready: false, bind: 'connection', holder } as const
    broker.step({ type: 'acquire', connection: id, request: 1, name: NAME.core.name, ...asked })
  }

  private leave(): void {
    const left = this.workers.shift()
    left?.session.close()
    left?.far.close()
  }

  /** Sessions say in the next turn that they are closed. */
  async close(): Promise<void> {
    while (this.workers.length > 0) this.leave()
    await nextTurn()
    this.broker.close()
    this.sockets.closeAll()
  }
}
