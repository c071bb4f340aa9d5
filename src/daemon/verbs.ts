// Every verb of this broker: the right it needs and what it does, as one table. The order of each is the same: shape (checked
// before, by the protocol's table), right, existence, act, answer. Verbs of the protocol that have no row are UNSUPPORTED.

import { ownLiveLease } from '../core/own-lease.ts'
import type { AcquireEvent } from '../core/types.ts'
import { PROTOCOL_VERSION, SUPPORTED_VERSIONS } from '../protocol/limits.ts'
import type { Op, Requests } from '../protocol/messages.ts'
import { quote } from '../protocol/quote.ts'
import { didYouMean } from '../protocol/suggest.ts'
import { VERSION } from '../protocol/version.ts'
import { formatFault } from './config/fault.ts'
import type { Host } from './host.ts'
import type { Right } from './rights.ts'
import type { Session } from './session.ts'
import { nameViews, statistics } from './views.ts'

interface Verb<O extends Op> {
  right: Right
  handle(broker: Host, session: Session, id: number, request: Requests[O]): void
}

/** Optional features, named in the answer to hello. */
export const FEATURES: readonly string[] = [
  'events',
  'history',
  'drain',
  'pause',
  'resume',
  'upgrade',
  'bind-process',
  'reclaim',
  'reload',
  'shutdown',
]

const WITHOUT_KEEPER = FEATURES.filter((feature) => feature !== 'upgrade')

export const HANDLERS: { readonly [O in Op]?: Verb<O> } = {
  hello: { right: 'any', handle: hello },
  acquire: { right: 'any', handle: acquire },
  ready: {
    right: 'any',
    handle: (broker, session, id, { lease }) =>
      broker.step({ type: 'ready', connection: session.id, request: id, lease, process: session.process }),
  },
  release: {
    right: 'any',
    handle: (broker, session, id, { lease }) =>
      broker.step({ type: 'release', connection: session.id, request: id, lease, process: session.process }),
  },
  reclaim: {
    right: 'any',
    handle(broker, session, id, { lease, name }) {
      const { identity = '' } = session.peer
      broker.step({ type: 'reclaim', connection: session.id, request: id, lease, name, identity })
    },
  },
  sockets: { right: 'any', handle: sockets },
  list: {
    right: 'viewer',
    handle: (broker, session, id) =>
      broker.later(session, id, session.answerInSlices(id, {}, 'sockets', nameViews(broker))),
  },
  holders: { right: 'viewer', handle: holders },
  stats: {
    right: 'viewer',
    handle: (broker, session, id) => session.answer(id, statistics(broker)),
  },
  events: {
    right: 'viewer',
    handle(broker, session, id) {
      broker.subscribers.add(session)
      session.answer(id, {})
    },
  },
  history: {
    right: 'viewer',
    handle: (broker, session, id, asked) =>
      broker.later(session, id, session.answerInSlices(id, {}, 'events', broker.history.select(asked))),
  },
  upgrade: { right: 'admin', handle: upgrade },
  drain: { right: 'admin', handle: drain },
  pause: {
    right: 'admin',
    handle: (broker, session, id, { name, drain = false }) =>
      broker.step({ type: 'pause', connection: session.id, request: id, name, drain }),
  },
  resume: {
    right: 'admin',
    handle: (broker, session, id, { name }) =>
      broker.step({ type: 'resume', connection: session.id, request: id, name }),
  },
  reload: { right: 'admin', handle: reload },
  shutdown: {
    right: 'admin',
    handle(broker, session, id) {
      session.answer(id, {})
      broker.operator.shutdown()
    },
  },
}

function reload(broker: Host, session: Session, id: number, { dryRun = false }: Requests['reload']): void {
  const result = broker.operator.reload({ dryRun })
  if ('code' in result) return session.refuse(id, result.code, result.message)
  session.answerLists(id, { ...result.changes, warnings: result.warnings.map(formatFault) })
}

function upgrade(broker: Host, session: Session, id: number): void {
  if (!broker.upgrade?.possible) {
    const message = 'this broker runs without a keeper, which would start the new one: end it and start it again'
    return session.refuse(id, 'UNSUPPORTED', message)
  }
  broker.upgrade.start((outcome) => {
    if ('code' in outcome) session.refuse(id, outcome.code, outcome.message)
    else session.answer(id, { ...outcome })
  })
}

function hello(broker: Host, session: Session, id: number, request: Requests['hello']): void {
  if (session.greeted) return session.refuse(id, 'INVALID', 'hello: it was said already on this connection')
  if (!SUPPORTED_VERSIONS.includes(request.version)) {
    const message = `this broker does not speak version ${request.version} of the protocol; use ${SUPPORTED_VERSIONS.join(' or ')}`
    return session.refuse(id, 'VERSION', message, { supported: SUPPORTED_VERSIONS })
  }
  session.reclaims = request.leases ?? []
  broker.greeted(session, request)
  session.answer(id, {
    version: PROTOCOL_VERSION,
    broker: `fd-broker/${VERSION}`,
    pid: process.pid,
    features: broker.upgrade?.possible ? FEATURES : WITHOUT_KEEPER,
  })
}

function acquire(broker: Host, session: Session, id: number, request: Requests['acquire']): void {
  if (!broker.processes.alive(session.process)) {
    return session.refuse(
      id,
      'DENIED',
      'the process that made this connection has ended: make a connection of your own',
    )
  }
  if (request.bind === 'process' && !broker.processes.watched(session.process)) {
    const message = 'acquire: this broker cannot watch a process of another pid namespace: leave out `bind`'
    return session.refuse(id, 'UNSUPPORTED', message)
  }
  const { generation, label, drainSignal, readyAfter } = request
  const asked: AcquireEvent = {
    type: 'acquire',
    connection: session.id,
    request: id,
    name: request.name,
    holder: broker.holderOf(session),
    takeover: request.takeover ?? false,
    wait: request.wait ?? 0,
    ready: request.ready ?? false,
    bind: request.bind ?? 'connection',
    reclaims: session.reclaims,
  }
  if (generation !== undefined) asked.generation = generation
  if (label !== undefined) asked.label = label
  if (drainSignal !== undefined) asked.drainSignal = drainSignal
  if (readyAfter !== undefined) asked.readyAfter = readyAfter
  broker.step(asked)
}

function sockets(broker: Host, session: Session, id: number, request: Requests['sockets']): void {
  const lease = ownLiveLease(broker.registry, request.lease, { connection: session.id, process: session.process })
  if ('code' in lease) return session.refuse(id, lease.code, lease.message)
  broker.sendSockets(session, id, {}, lease.name.config.name)
}

function holders(broker: Host, session: Session, id: number, asked: Requests['holders']): void {
  const { name } = asked
  const { names } = broker.registry
  if (name !== undefined && !names.has(name)) {
    const remedy = didYouMean(name, names.keys(), '`fd-broker list` shows those there are')
    return session.refuse(id, 'NOT_FOUND', `there is no name ${quote(name)}${remedy}`)
  }
  broker.later(session, id, answerHolders(broker, session, id, asked))
}

async function answerHolders(broker: Host, session: Session, id: number, asked: Requests['holders']): Promise<void> {
  const answer = await broker.holders.views(asked, () => !session.closed)
  if (answer === undefined) return
  const { holders, ...beside } = answer
  await session.answerInSlices(id, beside, 'holders', holders)
}

function drain(broker: Host, session: Session, id: number, { name, lease, timeout }: Requests['drain']): void {
  const target = name !== undefined ? { name } : lease !== undefined ? { lease } : undefined
  if (target === undefined || (name !== undefined && lease !== undefined)) {
    return session.refuse(id, 'INVALID', 'drain: it takes either name or lease')
  }
  const within = timeout === undefined ? {} : { timeout }
  broker.step({ type: 'drain', connection: session.id, request: id, target, ...within })
}
