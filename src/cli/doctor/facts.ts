// What the checks judge: gathered once, so that a test can make up any host.

import type { Config } from '../../daemon/config/model.ts'
import type { UnwritableDirectory } from '../../daemon/config/unwritable-paths.ts'
import type { KernelFeatures } from '../../sys/index.ts'

/** Of a file or directory; absent when there is none. */
export interface PathFacts {
  path: string
  stat?: { uid: number; mode: number; directory: boolean } | undefined
}

/** `why`: it could not be had. */
export type Loaded = { what: string } | { why: string }

export type BrokerFacts =
  | { is: 'answering'; path: string; version: string; pid: number }
  | { is: 'refusing'; path: string; why: string }
  | { is: 'absent'; path: string }

export interface Facts extends KernelFeatures {
  uid: number
  version: string
  node: string
  /** As uname(2) gives it. */
  kernel: string
  /** net.core.somaxconn, where it is known. */
  somaxconn: number | undefined
  unprivilegedPort: number
  /** The process that `openFiles` and `capabilities` are of: a running broker if it may be looked at, else this one. */
  subject: 'the broker' | 'this user'
  /** Hard RLIMIT_NOFILE: Node raises the soft one to it. */
  openFiles: number
  /** Effective, as a bit mask. */
  capabilities: bigint
  configFile: string
  config: Config | { faults: readonly string[] } | undefined
  controlDirectory: PathFacts
  stateDirectory: PathFacts
  /** Where the user whom the broker becomes cannot bind Unix paths again. */
  unwritable: readonly Pick<UnwritableDirectory, 'what' | 'remedy'>[]
  /** Of fd-broker.service: where it is, and what `systemctl is-active` says. */
  unit: { file: string; state: string } | undefined
  systemd: boolean
  addon: Loaded
  keeper: Loaded
  unixDgram: Loaded
  broker: BrokerFacts
}

/** The config, when there is a good one. */
export function goodConfig({ config }: Facts): Config | undefined {
  return config !== undefined && 'names' in config ? config : undefined
}
