// How the core asks whether a connection may have a name: it knows rules and numbers, and the shell knows who is behind a number.

import type { ConnectionId, Context } from '../core/types.ts'
import { isShort } from '../sys/index.ts'
import type { Journal } from './journal.ts'
import type { Rights } from './rights.ts'
import type { Session } from './session.ts'
import type { UserNames } from './user-names.ts'

export type Judgement = Pick<Context, 'allows' | 'missing' | 'shortage'>

interface Parts {
  readonly rights: Rights
  readonly sessions: ReadonlyMap<ConnectionId, Session>
  readonly users: UserNames
  readonly journal: Journal
}

export function judgementOf({ rights, sessions, users, journal }: Parts): Judgement {
  /** Set while something is short: it is asked again and again then, and told once. */
  let short: string | undefined
  return {
    allows({ name, rules }, connection) {
      const session = sessions.get(connection)
      if (session === undefined) return false
      try {
        const allowed = rights.satisfies(rules, session)
        short = undefined
        return allowed
      } catch (err) {
        if (!isShort(err)) throw err
        if (short === undefined) journal.warnOf(session.peer, { err, name }, 'who asks for a name cannot be seen')
        short = err.message
        return undefined
      }
    },
    shortage: () => short ?? '',
    missing({ rules }, connection) {
      const session = sessions.get(connection)
      return session === undefined ? [] : rights.missing(rules, session, (uid) => users.of(uid))
    },
  }
}
