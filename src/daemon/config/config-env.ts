import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Accounts } from '../../core/rule-text.ts'
import { availableCongestionControls } from '../../sys/congestion-controls.ts'
import { systemAccounts } from '../accounts.ts'
import type { Tokens } from './build-tokens.ts'

/** All that reading a config needs of the host. */
export interface ConfigEnv {
  /** The effective uid of the broker. */
  uid: number
  /** XDG_RUNTIME_DIR, where a user's broker has its control socket. */
  runtimeDir?: string | undefined
  accounts: Accounts
  /** The ids of a user, by name or uid, where it is known. */
  login?(user: string): { uid: number; gid: number } | undefined
  /** Of the file itself, once they are read: rules may name them. */
  tokens?: Tokens
  /** Of TCP, where that is known. */
  congestionControls?: (() => CongestionControls | undefined) | undefined
  /** net.core.somaxconn, where it is known. */
  somaxconn?: number | undefined
}

export interface CongestionControls {
  /** net.ipv4.tcp_available_congestion_control. */
  available: readonly string[]
  /** In modules, one of which the kernel loads when it is asked for (tcp_ca_find_autoload). */
  loadable: readonly string[]
}

export function systemConfigEnv(variables: NodeJS.ProcessEnv = process.env): ConfigEnv {
  return {
    uid: process.geteuid?.() ?? 0,
    runtimeDir: variables.XDG_RUNTIME_DIR,
    ...systemLogins(),
    congestionControls,
    somaxconn: somaxconn(),
  }
}

function systemLogins(): Pick<ConfigEnv, 'accounts' | 'login'> {
  const { login, ...accounts } = systemAccounts()
  return { accounts, login }
}

/** The first port that needs no capability (ip(7)). */
export function unprivilegedPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
  } catch {
    return 1024
  }
}

function somaxconn(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'))
  } catch {
    return undefined
  }
}

function congestionControls(): CongestionControls | undefined {
  const available = availableCongestionControls()
  return available && { available, loadable: loadableCongestionControls(`/lib/modules/${release()}/modules.dep`) }
}

export function loadableCongestionControls(modules: string): string[] {
  try {
    return [...readFileSync(modules, 'utf8').matchAll(/\/tcp_(\w+)\.ko(?:\.\w+)?:/g)].map(([, name]) => name!)
  } catch {
    return []
  }
}
