import { readFileSync } from 'node:fs'
import type { Accounts } from '../../core/rule-text.ts'
import { systemAccounts } from '../accounts.ts'
import type { Tokens } from './build-tokens.ts'

/** All that reading a config needs of the host. */
export interface ConfigEnv {
  /** The effective uid of the broker. */
  uid: number
  /** XDG_RUNTIME_DIR, where a user's broker has its control socket. */
  runtimeDir?: string | undefined
  accounts: Accounts
  /** Of the file itself, once they are read: rules may name them. */
  tokens?: Tokens
  /** net.core.somaxconn, where it is known. */
  somaxconn?: number | undefined
}

export function systemConfigEnv(variables: NodeJS.ProcessEnv = process.env): ConfigEnv {
  return {
    uid: process.geteuid?.() ?? 0,
    runtimeDir: variables.XDG_RUNTIME_DIR,
    accounts: systemAccounts(),
    somaxconn: somaxconn(),
  }
}

function somaxconn(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'))
  } catch {
    return undefined
  }
}
