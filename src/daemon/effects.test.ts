import { describe, expect, it } from 'vitest'
import type { Effect } from '../core/types.ts'
import { Effects, type EffectsHost } from './effects.ts'
import { Journal } from './journal.ts'

const FULL = new Error('no descriptor is left')
const full = () => {
  throw FULL
}

/** A broker whose timers cannot be started, with one connection that `session` stands for; and what was done. */
function effectsWith(session: object, failed?: () => void) {
  const done: unknown[] = []
  const broker = {
    sessions: new Map([[7, session]]),
    journal: { note: () => {}, tellPublished: () => {}, owesTelling: false },
    timers: { start: full, stop: (key: string) => done.push(['stopped', key]) },
    log: { error: ({ err, effect }: { err: Error; effect: string }) => done.push(['logged', effect, err]) },
    failed: failed ?? ((_: object, id: number, error: Error) => done.push(['failed', id, error])),
  }
  return { effects: new Effects(broker as unknown as EffectsHost), done }
}

const startTimer: Effect = { type: 'start-timer', key: 'a', at: 0 }
const stopTimer: Effect = { type: 'stop-timer', key: 'b' }
const reply: Effect = { type: 'reply', connection: 7, request: 3, body: {} }

describe('effects of one step', () => {
  it('are performed when one before them fails, which is logged', () => {
    const { effects, done } = effectsWith({})
    effects.performAll([startTimer, stopTimer])
    expect(done).toEqual([
      ['logged', 'start-timer', FULL],
      ['stopped', 'b'],
    ])
  })

  it('that answer a request and fail are told to who asked', () => {
    const { effects, done } = effectsWith({ answer: full })
    effects.performAll([reply, stopTimer])
    expect(done).toEqual([
      ['failed', 3, FULL],
      ['stopped', 'b'],
    ])
  })

  it('cost a peer the connection that cannot be told of a failure either', () => {
    let closed = false
    const close = () => {
      closed = true
    }
    const { effects, done } = effectsWith({ answer: full, close }, full)
    effects.performAll([reply, stopTimer])
    expect([closed, done]).toEqual([true, [['stopped', 'b']]])
  })

  it('are performed when a subscriber cannot be told of what is due before them: that one’s connection is closed', () => {
    const done: unknown[] = []
    const peer = { pid: 9 }
    const deaf = { peer, tell: ({ at }: { at: number }) => at === 1 && full(), close: () => done.push('closed') }
    const hearing = { peer, tell: () => done.push('told'), close: () => done.push('not this one') }
    const log = { error: ({ err }: { err: Error }) => done.push(err), isLevelEnabled: () => false }
    const [state, counters] = [{ keeps: false }, { names: { count: () => {} } }]
    const parts = [log, state, counters, new Set([deaf, hearing])] as unknown as ConstructorParameters<typeof Journal>
    const broker = {
      sessions: new Map([[7, { answer: () => done.push('answered') }]]),
      journal: new Journal(...parts),
      timers: { stop: () => done.push('stopped') },
      log,
    }
    const events = [1, 2, 3].map((at): Effect => ({ type: 'publish', event: { event: 'paused', at, name: 'web' } }))
    new Effects(broker as unknown as EffectsHost).performAll([...events, reply, stopTimer])
    expect(done).toEqual([FULL, 'closed', 'told', 'told', 'told', 'answered', 'stopped'])
  })

  it('that end leases let each name rest, though with another that fails', () => {
    const done: unknown[] = []
    const broker = {
      journal: { note: () => {}, published: () => {}, tellPublished: () => {}, owesTelling: false },
      guard: { ended: () => {} },
      processBound: { ended: () => {} },
      undeclared: { leaseEnded: (name: string) => (name === 'web' ? full() : done.push(name)) },
      processes: { relax: () => {} },
      registry: { names: new Map() },
      log: { error: ({ err, name }: { err: Error; name: string }) => done.push([name, err]) },
    }
    const ends = ['web', 'api'].map((name): Effect => ({ type: 'publish', event: { event: 'died', at: 0, name } }))
    new Effects(broker as unknown as EffectsHost).performAll(ends)
    expect(done).toEqual([['web', FULL], 'api'])
  })

  const published: Effect = { type: 'publish', event: { event: 'died', at: 0, name: 'web' } }
  const grant = { type: 'grant', connection: 7, request: 4, lease: 1, name: 'web' } as unknown as Effect

  /** Of a step: the effects, and where the events are noted and told. */
  function orderOf(effects: Effect[]): string[] {
    const order: string[] = []
    const journal = {
      note: () => order.push('noted'),
      published: ({ event }: { event: string }) => order.push(event),
      tellPublished: () => order.push('told'),
      owesTelling: false,
    }
    const session = { answer: () => order.push('answered'), answerList: () => order.push('granted') }
    const broker = {
      sessions: new Map([[7, session]]),
      counters: { grants: 0 },
      journal,
      guard: { lost: { refuseLost: () => {} }, ended: () => {} },
      processBound: { granted: () => ({}), ended: () => {} },
      sockets: { descriptions: () => [], lent: () => ({}), rest: () => {} },
      undeclared: { leaseEnded: () => {} },
      processes: { relax: () => {} },
      registry: { names: new Map() },
      timers: { stop: () => order.push('stopped') },
    }
    new Effects(broker as unknown as EffectsHost).performAll(effects)
    return order
  }

  it('begin with the grants that no answer precedes: a standby waits for nothing that is told', () => {
    expect(orderOf([stopTimer, published, grant])).toEqual(['granted', 'noted', 'stopped', 'died', 'told'])
  })

  it('that others hear of stay before a grant that follows them', () => {
    expect(orderOf([published, reply, grant])).toEqual(['noted', 'died', 'told', 'answered', 'granted', 'told'])
  })
})
