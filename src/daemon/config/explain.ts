import { capabilityNeeds } from './capabilities.ts'
import type { Config } from './model.ts'
import { byMode, unwritableDirectories } from './unwritable-paths.ts'

/**
 * What `fd-broker check --explain` prints after the summary: whom the broker becomes, what it keeps of root and why, and which paths it
 * cannot bind again.
 */
export function explainPrivileges(config: Config, uid: number, unprivilegedPort: number, host = byMode): string[] {
  const { user } = config.broker
  const needs = capabilityNeeds(config, unprivilegedPort)
  return [
    heading(user, uid),
    ...(needs.length === 0 ? ['  nothing'] : []),
    ...needs.flatMap(({ capability, reasons }) =>
      reasons.map((reason, at) => `  ${(at === 0 ? capability : '').padEnd(COLUMN)} ${reason}`),
    ),
    ...unwritableDirectories(config, host).map(({ what, remedy }) => `warning: ${what}: ${remedy}`),
  ]
}

const COLUMN = 'CAP_NET_BIND_SERVICE'.length

function heading(user: Config['broker']['user'], uid: number): string {
  if (user === undefined)
    return `without user = "…" in [broker] the broker stays who starts it (uid ${uid}); another user would keep of root:`
  return `once its sockets are bound the broker becomes ${user.name} (uid ${user.uid}, gid ${user.gid}), and keeps of root:`
}
