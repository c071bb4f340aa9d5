// A new configuration takes the place of the one in force, for all who have it.

import type { CoreEvent } from '../core/types.ts'
import type { Config } from './config/model.ts'
import type { Rights } from './rights.ts'
import type { Session } from './session.ts'

export interface ConfiguredHost {
  readonly config: Config
  readonly sessions: ReadonlyMap<number, Session>
  readonly rights: Rights
  /** What a connection may do now. */
  judge(session: Session, admin: boolean): void
  /** So that a broker that comes after a death goes on with it. */
  remember(config: Config, namesBefore: Config['names']): void
  step(event: CoreEvent): void
}

export function applyConfig(host: ConfiguredHost, next: Config): void {
  const { config } = host
  const before = config.names
  Object.assign(config.broker, next.broker)
  config.text = next.text
  config.names = next.names
  config.tokens = next.tokens
  host.remember(config, before)
  for (const session of host.sessions.values()) host.judge(session, host.rights.isSurelyAdmin(session))
  host.step({ type: 'configure', names: [...next.names.values()].map(({ core }) => core) })
}
