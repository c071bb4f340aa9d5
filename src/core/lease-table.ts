// The life of a lease, as data. Everything that can change a lease's state is in this table.
//
// The rules:
// 1. The table is total: every state has a row for every event, also for those that cannot happen.
// 2. A lease is born `waiting`, also when there is room at once, and has no number before its grant.
// 3. `granted` must become `ready` in time; whatever else it does, it ends or drains.
// 4. `draining` is never undone, and draining again can only bring its deadline nearer.
// 5. `ended` is final: its owner is told why, everyone else is told nothing.
// 6. A row names the next state, how the lease ended if it did, and what is done after the change, in order.
// 7. This file does not know names, generations or waiting lines: room, quorum and hand-overs are settled after the row.

import type { EndReason, LeaseState } from './types.ts'

export const LEASE_STATES = ['waiting', 'granted', 'ready', 'draining', 'ended'] as const

export const LEASE_EVENTS = [
  'grant', // there is room
  'grant-ready', // there is room, and it was asked to be ready at once
  'refuse', // a waiter gets an answer that is not a lease
  'ready', // the holder serves: by request, by READY=1 or by having lived long enough
  'release', // the holder gives it back
  'hangup', // the connection that it is bound to is gone
  'disconnect', // its connection is gone, but it is bound to its process
  'exit', // its process is gone
  'depart', // its process is gone, and leaving is how such a holder finishes a drain
  'expire', // not ready in time
  'drain', // it is asked to stop accepting
  'stopping', // it says that it stops accepting
  'overdue', // the drain deadline passed
  'ping', // its watchdog was fed
  'starved', // its watchdog was missed
  'revoke', // it is taken away
  'evict', // its peer was cut off
  'undelivered', // its descriptors could not be sent
  'status', // it describes itself
  'move', // its main process is another one now
  'reclaim', // after a restart of the broker its process is back, on another connection
  'forsake', // after a restart of the broker its process did not come back for it
] as const

export type LeaseEvent = (typeof LEASE_EVENTS)[number]

export type LeaseAction =
  | 'leaveLine'
  | 'refuseAsk'
  | 'takeNumber'
  | 'answerGrant'
  | 'startReadyClock'
  | 'stopReadyClock'
  | 'announceReady'
  | 'awaitTurn'
  | 'feedWatchdog'
  | 'answerRelease'
  | 'answerDraining'
  | 'answerEnded'
  | 'refuseHeld'
  | 'loseConnection'
  | 'startDrain'
  | 'tellDrain'
  | 'confirmDrain'
  | 'hasten'
  | 'enforceDrain'
  | 'finish'
  | 'tellEnd'
  | 'abort'
  | 'noteStatus'
  | 'moveHolder'
  | 'claim'

export interface LeaseRow {
  next: LeaseState
  end?: EndReason
  do: readonly LeaseAction[]
}

type Rows = Record<LeaseEvent, LeaseRow>

function stay(next: LeaseState, ...actions: LeaseAction[]): LeaseRow {
  return { next, do: actions }
}

function over(end: EndReason, ...actions: LeaseAction[]): LeaseRow {
  return { next: 'ended', end, do: actions }
}

export const LEASE_TABLE: Record<LeaseState, Rows> = {
  waiting: {
    grant: { next: 'granted', do: ['leaveLine', 'takeNumber', 'answerGrant', 'startReadyClock'] },
    'grant-ready': {
      next: 'ready',
      do: ['leaveLine', 'takeNumber', 'answerGrant', 'announceReady', 'awaitTurn'],
    },
    refuse: { next: 'ended', do: ['leaveLine', 'refuseAsk'] },
    ready: stay('waiting'),
    release: stay('waiting'),
    hangup: { next: 'ended', do: ['leaveLine'] },
    disconnect: { next: 'ended', do: ['leaveLine'] },
    exit: { next: 'ended', do: ['leaveLine', 'refuseAsk'] },
    depart: { next: 'ended', do: ['leaveLine', 'refuseAsk'] },
    expire: stay('waiting'),
    drain: stay('waiting'),
    stopping: stay('waiting'),
    overdue: stay('waiting'),
    ping: stay('waiting'),
    starved: stay('waiting'),
    revoke: stay('waiting'),
    evict: { next: 'ended', do: ['leaveLine'] },
    undelivered: stay('waiting'),
    status: stay('waiting'),
    move: stay('waiting'),
    reclaim: stay('waiting'),
    forsake: stay('waiting'),
  },
  granted: {
    grant: stay('granted'),
    'grant-ready': stay('granted'),
    refuse: stay('granted'),
    ready: { next: 'ready', do: ['stopReadyClock', 'announceReady', 'awaitTurn'] },
    release: over('released', 'answerRelease', 'finish'),
    hangup: over('died', 'finish'),
    disconnect: stay('granted', 'loseConnection'),
    exit: over('died', 'finish'),
    depart: over('died', 'finish'),
    expire: over('expired', 'finish', 'tellEnd'),
    drain: { next: 'draining', do: ['startDrain', 'tellDrain'] },
    stopping: { next: 'draining', do: ['startDrain', 'confirmDrain'] },
    overdue: stay('granted'),
    ping: stay('granted'),
    starved: stay('granted'),
    revoke: over('revoked', 'finish', 'tellEnd'),
    evict: over('evicted', 'finish', 'tellEnd'),
    undelivered: over('revoked', 'finish'),
    status: stay('granted', 'noteStatus'),
    move: stay('granted', 'moveHolder'),
    reclaim: stay('granted', 'claim'),
    forsake: over('died', 'finish'),
  },
  ready: {
    grant: stay('ready'),
    'grant-ready': stay('ready'),
    refuse: stay('ready'),
    ready: stay('ready', 'awaitTurn'),
    release: over('released', 'answerRelease', 'finish'),
    hangup: over('died', 'finish'),
    disconnect: stay('ready', 'loseConnection'),
    exit: over('died', 'finish'),
    depart: over('died', 'finish'),
    expire: stay('ready'),
    drain: { next: 'draining', do: ['refuseHeld', 'startDrain', 'tellDrain'] },
    stopping: { next: 'draining', do: ['refuseHeld', 'startDrain', 'confirmDrain'] },
    overdue: stay('ready'),
    ping: stay('ready', 'feedWatchdog'),
    starved: over('evicted', 'finish', 'abort'),
    revoke: over('revoked', 'finish', 'tellEnd'),
    evict: over('evicted', 'finish', 'tellEnd'),
    undelivered: over('revoked', 'finish'),
    status: stay('ready', 'noteStatus'),
    move: stay('ready', 'moveHolder'),
    reclaim: stay('ready', 'claim'),
    forsake: over('died', 'finish'),
  },
  draining: {
    grant: stay('draining'),
    'grant-ready': stay('draining'),
    refuse: stay('draining'),
    ready: stay('draining', 'answerDraining'),
    release: over('released', 'answerRelease', 'finish'),
    hangup: over('died', 'finish'),
    disconnect: stay('draining', 'loseConnection'),
    exit: over('died', 'finish'),
    depart: over('released', 'finish'),
    expire: stay('draining'),
    drain: stay('draining', 'hasten'),
    stopping: stay('draining'),
    overdue: stay('draining', 'enforceDrain'),
    ping: stay('draining'),
    starved: stay('draining'),
    revoke: over('revoked', 'finish', 'tellEnd'),
    evict: over('evicted', 'finish', 'tellEnd'),
    undelivered: over('revoked', 'finish'),
    status: stay('draining', 'noteStatus'),
    move: stay('draining', 'moveHolder'),
    reclaim: stay('draining', 'claim'),
    forsake: over('died', 'finish'),
  },
  ended: {
    grant: stay('ended'),
    'grant-ready': stay('ended'),
    refuse: stay('ended'),
    ready: stay('ended', 'answerEnded'),
    release: stay('ended', 'answerRelease'),
    hangup: stay('ended'),
    disconnect: stay('ended'),
    exit: stay('ended'),
    depart: stay('ended'),
    expire: stay('ended'),
    drain: stay('ended'),
    stopping: stay('ended'),
    overdue: stay('ended'),
    ping: stay('ended'),
    starved: stay('ended'),
    revoke: stay('ended'),
    evict: stay('ended'),
    undelivered: stay('ended'),
    status: stay('ended'),
    move: stay('ended'),
    reclaim: stay('ended', 'answerEnded'),
    forsake: stay('ended'),
  },
}
