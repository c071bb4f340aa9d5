// Where a request for a lease goes now: into a generation, into a fresh one, into the line, or back with a refusal.

import type { ErrorCode } from '../protocol/errors.ts'
import { findLive } from './generations.ts'
import {
  deniedMessage,
  lostMessage,
  SHUTTING_DOWN,
  supersededMessage,
  unjudgedMessage,
  unknownNameMessage,
} from './messages.ts'
import { type Generation, hasHolder, type Lease, type Name } from './registry.ts'
import type { Turn } from './turn.ts'
import type { AcquireEvent } from './types.ts'
import { judgeAgain } from './waiting.ts'

export type Verdict =
  | { kind: 'join'; generation: Generation }
  | { kind: 'open'; label: string | undefined }
  | { kind: 'wait'; code: 'BUSY' | 'PAUSED' | 'SYSTEM'; message: string }
  /** `masked` as in the effect. */
  | { kind: 'refuse'; code: ErrorCode; message: string; masked?: string }

export function admit(turn: Turn, lease: Lease): Verdict {
  const { name, asked } = lease
  if (name.removed)
    return { ...refusal('NOT_FOUND', unknownNameMessage(asked.name)), masked: deniedMessage(asked.name) }
  if (turn.registry.closing) return refusal('PAUSED', SHUTTING_DOWN)
  const target = targetOf(name, asked)
  if (target.kind === 'refuse') return target
  const obstacle = obstacleTo(name, asked, target)
  if (obstacle) return obstacle
  return target
}

/** The policy may have changed while it waited. Who cannot be judged now waits on, and is judged again soon. */
export function admitWaiter(turn: Turn, lease: Lease): Verdict {
  const { name, asked } = lease
  const verdict = admit(turn, lease)
  const grants = verdict.kind === 'join' || verdict.kind === 'open'
  const allowed = !grants || turn.context.allows(name.config, asked.connection)
  if (allowed) return verdict
  if (allowed === undefined) {
    judgeAgain(turn, name)
    return { kind: 'wait', code: 'SYSTEM', message: unjudgedMessage(asked.name, turn.context.shortage?.()) }
  }
  return refusal('DENIED', deniedMessage(asked.name))
}

type Target = Extract<Verdict, { kind: 'join' | 'open' | 'refuse' }>

function targetOf(name: Name, { generation: label, takeover }: AcquireEvent): Target {
  if (label === undefined) return takeover ? { kind: 'open', label } : { kind: 'join', generation: name.current }
  const live = findLive(name, label)
  if (live && takeover && live === name.current) {
    return refusal(
      'INVALID',
      `generation ${label} is current already: take over with another label, or join it without \`takeover\``,
    )
  }
  if (live) return { kind: 'join', generation: live }
  const by = name.superseded.get(label)
  if (by !== undefined && !takeover) return refusal('ENDED', supersededMessage(label, by))
  return { kind: 'open', label }
}

function obstacleTo(name: Name, asked: AcquireEvent, target: Target): Verdict | undefined {
  const { config } = name
  const quoted = JSON.stringify(config.name)
  if (name.lost !== undefined) return { kind: 'wait', code: 'SYSTEM', message: lostMessage(config.name, name.lost) }
  if (name.paused) {
    return {
      kind: 'wait',
      code: 'PAUSED',
      message: `${quoted} is paused: ask with \`wait\`, or \`fd-broker resume ${config.name}\``,
    }
  }
  // A drain cannot be refused, so this cap holds back the grants that would lead to more of them.
  if (name.draining >= config.maxDraining) {
    return busy(
      `${quoted} has ${name.draining} draining leases (max_draining): ask with \`wait\` until some have ended`,
    )
  }
  if (asked.ready && config.mode === 'exclusive' && hasHolder(name)) {
    return busy(`${quoted} is exclusive and has a holder: ask with \`wait\``)
  }
  if (target.kind === 'open' && 1 + name.pending.size >= config.maxGenerations) {
    return busy(
      `${quoted} has ${1 + name.pending.size} generations (max_generations): ask with \`wait\`, or end a pending one`,
    )
  }
  if (target.kind === 'join') return fullness(name, target.generation)
  return undefined
}

function fullness({ config }: Name, { label, granted, ready }: Generation): Verdict | undefined {
  const room = config.mode === 'exclusive' ? 1 : config.maxHolders
  if (granted + ready < room) return undefined
  const quoted = JSON.stringify(config.name)
  const advice = `ask with \`wait\` or \`takeover\`; \`fd-broker holders ${config.name}\` shows who holds it`
  if (config.mode === 'exclusive') return busy(`${quoted} is exclusive and generation ${label} has a holder: ${advice}`)
  return busy(`${quoted} has room for ${room} of generation ${label} (max_holders), and no more: ${advice}`)
}

function busy(message: string): Verdict {
  return { kind: 'wait', code: 'BUSY', message }
}

function refusal(code: ErrorCode, message: string): Extract<Verdict, { kind: 'refuse' }> {
  return { kind: 'refuse', code, message }
}
