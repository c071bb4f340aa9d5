// What the rows of the lease table do. Each action is performed after the lease has entered its next state.

import type { ErrorCode } from '../protocol/errors.ts'
import { startAliveClock } from './alive-clock.ts'
import { claim } from './claim.ts'
import type { LeaseAction } from './lease-table.ts'
import { drainedMessage, endedMessage } from './messages.ts'
import { beginPursuit, endPursuit } from './pursuit.ts'
import { attach, detach, type Lease, rememberEnded } from './registry.ts'
import { tellDrainEvent, termsOf } from './tell.ts'
import { publishLease, refuse, refuseUnknown, reply, signal, startTimer, stopTimer, type Turn } from './turn.ts'
import type { Ask, DrainReason, HolderInfo } from './types.ts'
import { leaveLine } from './waiting.ts'
import { feedWatchdog } from './watchdog.ts'

/** What comes with a lease event; which fields are there depends on the event. */
export interface Cause {
  ask?: Ask
  code?: ErrorCode
  message?: string
  masked?: string
  reason?: DrainReason
  deadline?: number
  text?: string
  holder?: HolderInfo
}

/** The timers of a lease that is not over. */
const LEASE_CLOCKS = ['ready', 'alive', 'drain', 'watchdog', 'reclaim']

type Action = (turn: Turn, lease: Lease, cause: Cause) => void

export const ACTIONS: Record<LeaseAction, Action> = {
  leaveLine(turn, lease) {
    leaveLine(turn, lease)
    if (lease.state !== 'ended') return
    detach(turn.registry.byConnection, lease.asked.connection, lease)
    detach(turn.registry.byProcess, lease.holder.process, lease)
  },

  refuseAsk(turn, lease, { code = 'ENDED', message = 'the process that asked is gone: acquire again', masked }) {
    if (masked === undefined) refuse(turn, lease.asked, code, message)
    else refuseUnknown(turn, lease.asked, message, masked)
  },

  takeNumber(turn, lease) {
    lease.id = turn.registry.nextLease++
    turn.registry.leases.set(lease.id, lease)
    lease.generation!.leases.add(lease)
  },

  answerGrant(turn, lease) {
    const { connection, request, label } = lease.asked
    turn.effects.push({ type: 'grant', ...termsOf(lease, { connection, request }, lease.name.config.readyTimeout) })
    publishLease(turn, 'granted', lease, label === undefined ? undefined : { label })
  },

  startReadyClock(turn, lease) {
    startAliveClock(turn, lease)
    startTimer(turn, `ready/${lease.id}`, turn.now + lease.name.config.readyTimeout)
  },

  stopReadyClock,

  announceReady(turn, lease) {
    publishLease(turn, 'ready', lease)
  },

  /** The answer comes when the name is settled: at once, or on an exclusive name when the former holders are gone. */
  awaitTurn(turn, lease, { ask }) {
    if (ask) {
      lease.held.push(ask)
      attach(turn.registry.byConnection, ask.connection, lease)
    }
    lease.name.unsettled.add(lease)
  },

  feedWatchdog,

  answerRelease(turn, _lease, { ask }) {
    if (ask) reply(turn, ask, {})
  },

  answerDraining(turn, lease, { ask }) {
    if (!ask) return
    if (lease.serving) reply(turn, ask, { state: 'draining', promoted: lease.generation!.state === 'current' })
    else refuse(turn, ask, 'ENDED', drainedMessage(lease))
  },

  answerEnded(turn, lease, { ask }) {
    if (ask) refuse(turn, ask, 'ENDED', endedMessage(lease), { reason: lease.ended })
  },

  refuseHeld(turn, lease) {
    refuseHeld(turn, lease, drainedMessage(lease))
  },

  /** A program is started when its connection is done with: only from then on is it alive. */
  loseConnection(turn, lease) {
    lease.open = false
    if (lease.state === 'granted') startAliveClock(turn, lease)
  },

  startDrain(turn, lease, { reason = 'self', deadline = turn.now + lease.name.config.drainTimeout }) {
    stopReadyClock(turn, lease)
    stopTimer(turn, `watchdog/${lease.id}`)
    lease.draining = { reason, deadline, enforced: false }
    startTimer(turn, `drain/${lease.id}`, deadline)
    publishLease(turn, 'drain', lease, { reason, deadline })
  },

  /** By event while its connection is open, else by signal, never both. */
  tellDrain(turn, lease) {
    if (tellDrainEvent(turn, lease) || lease.asked.bind !== 'process') return
    signal(turn, lease, `SIG${lease.asked.drainSignal ?? 'TERM'}`)
  },

  /** To a holder that drains of itself: until when, on its connection where that is open, and never a signal. */
  confirmDrain(turn, lease) {
    tellDrainEvent(turn, lease)
  },

  /** The earlier deadline wins. No second signal: many programs take that for "at once". */
  hasten(turn, lease, { deadline = turn.now + lease.name.config.drainTimeout }) {
    const { draining } = lease
    if (!draining || deadline >= draining.deadline) return
    draining.deadline = deadline
    startTimer(turn, `drain/${lease.id}`, deadline)
    tellDrainEvent(turn, lease)
  },

  enforceDrain(turn, lease) {
    const { onDrainTimeout } = lease.name.config
    if (onDrainTimeout === 'keep' || !lease.draining) return
    lease.draining.enforced = true
    if (onDrainTimeout === 'term') signal(turn, lease, 'SIGTERM')
    else beginPursuit(turn, lease, ['SIGTERM', 'SIGKILL'])
  },

  finish(turn, lease) {
    const { registry } = turn
    const { generation, name, id } = lease
    for (const clock of LEASE_CLOCKS) stopTimer(turn, `${clock}/${id}`)
    if (lease.ended === 'released' || lease.ended === 'died') endPursuit(turn, id)
    refuseHeld(turn, lease, endedMessage(lease))
    registry.leases.delete(id)
    detach(registry.byConnection, lease.asked.connection, lease)
    for (const former of lease.former ?? []) detach(registry.byConnection, former, lease)
    detach(registry.byProcess, lease.holder.process, lease)
    generation!.leases.delete(lease)
    generation!.lastEnd = lease.ended
    if (lease.serving) generation!.serving--
    if (generation!.leases.size === 0 && generation!.state !== 'current' && generation!.state !== 'pending') {
      name.generations.delete(generation!)
    }
    rememberEnded(registry, lease)
    publishLease(turn, lease.ended!, lease)
  },

  /** By event while its connection is open; a process-bound holder that has none gets SIGTERM, if it had none yet. */
  tellEnd(turn, lease) {
    if (tellEndEvent(turn, lease) || lease.asked.bind !== 'process' || lease.draining?.enforced) return
    signal(turn, lease, 'SIGTERM')
  },

  abort(turn, lease) {
    tellEndEvent(turn, lease)
    beginPursuit(turn, lease, ['SIGABRT', 'SIGTERM', 'SIGKILL'])
  },

  noteStatus(_turn, lease, { text }) {
    if (text !== undefined) lease.status = text
  },

  moveHolder(turn, lease, { holder }) {
    if (!holder || holder.uid !== lease.holder.uid) return
    detach(turn.registry.byProcess, lease.holder.process, lease)
    lease.holder = holder
    attach(turn.registry.byProcess, holder.process, lease)
  },

  claim(turn, lease, { ask }) {
    if (ask) claim(turn, lease, ask)
  },
}

function stopReadyClock(turn: Turn, lease: Lease): void {
  stopTimer(turn, `ready/${lease.id}`)
  stopTimer(turn, `alive/${lease.id}`)
}

function refuseHeld(turn: Turn, lease: Lease, message: string): void {
  for (const ask of lease.held) {
    refuse(turn, ask, 'ENDED', message)
    if (ask.connection !== lease.asked.connection) detach(turn.registry.byConnection, ask.connection, lease)
  }
  lease.held = []
  lease.name.unsettled.delete(lease)
}

function tellEndEvent(turn: Turn, lease: Lease): boolean {
  const { open, asked, id, ended } = lease
  if (!open || !ended) return false
  turn.effects.push({ type: 'tell', connection: asked.connection, event: { event: 'ended', lease: id, reason: ended } })
  return true
}
