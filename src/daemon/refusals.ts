// What is counted and logged of each request that is refused.

import type { Registry } from '../core/registry.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import { isOp } from '../protocol/messages.ts'
import type { Config } from './config/model.ts'
import type { Counters } from './host.ts'
import type { Journal } from './journal.ts'
import { rightOf } from './requests.ts'
import type { Rights } from './rights.ts'
import type { Session } from './session.ts'
import type { UserNames } from './user-names.ts'

export interface RefusalsHost {
  readonly config: Config
  readonly registry: Registry
  readonly rights: Rights
  readonly users: UserNames
  readonly counters: Counters
  readonly journal: Journal
}

export class Refusals {
  private readonly broker: RefusalsHost

  constructor(broker: RefusalsHost) {
    this.broker = broker
  }

  tell(session: Session, asked: Record<string, unknown>, code: ErrorCode, message: string): void {
    this.broker.journal.settle(code)
    const { refusals, names } = this.broker.counters
    refusals[code] = (refusals[code] ?? 0) + 1
    const { op, name } = asked
    const known = typeof name === 'string' && this.broker.registry.names.has(name)
    if (known) names.refused(name, code)
    // A line of its own tells of a malformed packet, and the event `denied` of the other.
    if (code === 'PROTOCOL') return
    if (known && code === 'DENIED' && op === 'acquire') return
    const missing = code === 'DENIED' ? this.missingRight(session, op) : undefined
    this.broker.journal.refused(session, asked, {
      code,
      why: message,
      ...(missing && { missing }),
      user: this.broker.users.of(session.peer.uid),
    })
  }

  private missingRight(session: Session, op: unknown): string[] | undefined {
    const right = typeof op === 'string' && isOp(op) ? rightOf(op) : 'any'
    if (right === 'any' || session.admin) return undefined
    const { admins, viewers } = this.broker.config.broker
    const missing = this.broker.rights.missing(right === 'admin' ? admins : viewers, session, (uid) =>
      this.broker.users.of(uid),
    )
    // It has the right: the refusal is for another reason.
    return missing.includes('') ? undefined : missing
  }
}
