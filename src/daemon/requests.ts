// A request on its way to its verb: rate, verb, shape, right. What is wrong first is what is answered.

import type { ErrorCode } from '../protocol/errors.ts'
import { isOp, isOtherVersion, type Op, type Requests, shapeFault } from '../protocol/messages.ts'
import { quote } from '../protocol/quote.ts'
import type { Occurrence } from './history.ts'
import type { Host } from './host.ts'
import type { Right } from './rights.ts'
import type { Session } from './session.ts'
import { HANDLERS } from './verbs.ts'

export interface Refusal {
  code: ErrorCode
  message: string
}

type Handle = (host: Host, session: Session, id: number, request: Requests[Op]) => void

/** Hands a request to its verb, which answers it, now or later; or says why not. */
export function dispatch(
  host: Host,
  session: Session,
  id: number,
  body: Record<string, unknown>,
  floats: readonly string[],
): Refusal | undefined {
  const { op } = body
  if (typeof op !== 'string') return { code: 'INVALID', message: 'op must be a string that names a verb' }
  if (!isOp(op)) return { code: 'UNSUPPORTED', message: `there is no verb ${quote(op)}` }
  const verb = HANDLERS[op]
  if (verb === undefined) return { code: 'UNSUPPORTED', message: `this broker does not have the verb ${op} yet` }
  const fault = isOtherVersion(op, body, floats) ? undefined : shapeFault(op, body, floats)
  if (fault !== undefined) return { code: 'INVALID', message: fault }
  const { right } = verb
  if (!host.rights.has(session, right)) {
    return { code: 'DENIED', message: `${op} is for ${right}s: see \`${right}s\` of [broker] in the config` }
  }
  if (right === 'admin') host.journal.announce(adminEvent(host, session, body))
  const handle = verb.handle as Handle
  handle(host, session, id, body as Requests[Op])
  host.journal.settle()
  return undefined
}

/** Who asked for what. With the code when it was refused; else what was done is told by what follows. */
function adminEvent(host: Host, { peer }: Session, { id: _, ...asked }: Record<string, unknown>): Occurrence {
  const { pid, uid } = peer
  return { event: 'admin', at: Date.now(), ...asked, pid, uid, user: host.users.of(uid) }
}

export function rightOf(op: Op): Right {
  return HANDLERS[op]?.right ?? 'any'
}
