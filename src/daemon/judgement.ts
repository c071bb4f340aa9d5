// How the core asks whether a connection may have a name: it knows rules and numbers, and the shell knows who is behind a number.

import type { ConnectionId, Context } from '../core/types.ts'
import type { Rights } from './rights.ts'
import type { Session } from './session.ts'
import type { UserNames } from './user-names.ts'

export type Judgement = Pick<Context, 'allows' | 'missing'>

export function judgementOf(rights: Rights, sessions: ReadonlyMap<ConnectionId, Session>, users: UserNames): Judgement {
  return {
    allows({ rules }, connection) {
      const session = sessions.get(connection)
      return session !== undefined && rights.satisfies(rules, session)
    },
    missing({ rules }, connection) {
      const session = sessions.get(connection)
      return session === undefined ? [] : rights.missing(rules, session, (uid) => users.of(uid))
    },
  }
}
