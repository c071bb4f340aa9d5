import { join } from 'node:path'

const SYSTEM = '/etc/fd-broker/broker.toml'

/** The config that is read when none is named: root's in /etc, a user's in the XDG base directory. */
export function defaultConfigPath(uid: number, variables: NodeJS.ProcessEnv): string {
  const { XDG_CONFIG_HOME, HOME } = variables
  if (uid === 0 || (!XDG_CONFIG_HOME && !HOME)) return SYSTEM
  return join(XDG_CONFIG_HOME || join(HOME!, '.config'), 'fd-broker', 'broker.toml')
}
