import type { ConfigEnv } from '../../src/daemon/config/config-env.ts'
import { formatFaults } from '../../src/daemon/config/fault.ts'
import type { Config } from '../../src/daemon/config/model.ts'
import { parseConfig } from '../../src/daemon/config/read-config.ts'

const ids: Record<string, number> = { root: 0, 'www-data': 33, adm: 4 }
export const accounts = { user: (name: string) => ids[name], group: (name: string) => ids[name] }
const login = (user: string) => (user === 'www-data' ? { uid: 33, gid: 33 } : undefined)
export const asRoot: ConfigEnv = { uid: 0, accounts, login, somaxconn: 4096 }
export const asUser: ConfigEnv = { uid: 1000, accounts, login, runtimeDir: '/run/user/1000' }

/** All complaints about a text, as they are printed. */
export function faults(text: string, env: ConfigEnv = asRoot): string[] {
  const result = parseConfig(text, 'broker.toml', env)
  return 'faults' in result ? formatFaults(result.faults).split('\n') : []
}

/** The complaints about keys of one name, without the place. */
export function nameFaults(keys: string, listen = 'listen = "tcp://127.0.0.1:80"'): string[] {
  const lines = faults(`[sockets.web]\n${listen}\n${keys}`)
  return lines.map((line) => line.replace(/^broker\.toml:[\d:]+ sockets\.web\.?/, ''))
}

/** The model of a good text. */
export function config(text: string, env: ConfigEnv = asRoot): Config {
  const result = parseConfig(text, 'broker.toml', env)
  if ('faults' in result) throw new Error(formatFaults(result.faults))
  return result.config
}
