// Looks at this host. Nothing here may throw: what cannot be had is a fact as well.

import { readFileSync, statSync } from 'node:fs'
import { release } from 'node:os'
import { dirname } from 'node:path'
import { systemConfigEnv, unprivilegedPort } from '../../daemon/config/config-env.ts'
import { defaultConfigPath } from '../../daemon/config/default-path.ts'
import { formatFault } from '../../daemon/config/fault.ts'
import { readConfig } from '../../daemon/config/read-config.ts'
import { unwritableDirectories } from '../../daemon/config/unwritable-paths.ts'
import { VERSION } from '../../protocol/version.ts'
import type { KernelFeatures } from '../../sys/index.ts'
import type { Env } from '../env.ts'
import { configOfBroker } from './broker-config.ts'
import { type Facts, goodConfig, type Loaded, type PathFacts } from './facts.ts'
import { findBroker } from './find-broker.ts'
import { findUnit, hasSystemd } from './unit.ts'

export interface Asked {
  config: string | undefined
  socket: string | undefined
}

export async function gatherFacts(env: Env, asked: Asked): Promise<Facts> {
  const { file, config, control, broker } = await findSubject(env, asked)
  const subject = broker.is === 'answering' ? readProcess(broker.pid) : undefined
  const own = subject ?? readProcess(process.pid)!
  const facts = {
    uid: env.uid,
    version: VERSION,
    node: process.versions.node,
    kernel: release(),
    ...(await probeKernel()),
    somaxconn: readNumber('/proc/sys/net/core/somaxconn'),
    unprivilegedPort: unprivilegedPort(),
    subject: subject ? ('the broker' as const) : ('this user' as const),
    ...own,
    configFile: file,
    config,
    systemd: hasSystemd(),
    unit: findUnit(),
    ...(await loadParts()),
    broker,
  }
  const directory = dirname(control ?? broker.path)
  const good = goodConfig(facts as Facts)
  return {
    ...facts,
    controlDirectory: pathFacts(directory),
    stateDirectory: pathFacts(good?.broker.stateDir ?? directory),
    unwritable: good === undefined ? [] : unwritableDirectories(good),
  }
}

/** A config that was named says which broker is meant; else the broker that answers says which config. */
async function findSubject(env: Env, { config: named, socket }: Asked) {
  const found = named === undefined ? await findBroker(socket) : undefined
  const used = found?.is === 'answering' ? configOfBroker(found.pid) : undefined
  const file = named ?? used ?? defaultConfigPath(env.uid, env.variables)
  const config = loadConfig(file, env)
  const control = config !== undefined && 'broker' in config ? config.broker.control : undefined
  return { file, config, control, broker: found ?? (await findBroker(socket ?? control)) }
}

function loadConfig(file: string, env: Env): Facts['config'] {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined
  const result = readConfig(file, systemConfigEnv(env.variables))
  return 'faults' in result ? { faults: result.faults.map(formatFault) } : result.config
}

async function probeKernel(): Promise<KernelFeatures> {
  try {
    const { kernelFeatures } = await import('../../sys/index.ts')
    return kernelFeatures()
  } catch {
    return { passRights: false, pidfs: false, guardedFilters: false }
  }
}

async function loadParts(): Promise<Pick<Facts, 'addon' | 'keeper' | 'unixDgram'>> {
  const attempt = async (load: () => unknown, what: (loaded: unknown) => string): Promise<Loaded> => {
    try {
      return { what: what(await load()) }
    } catch (error) {
      return { why: (error as Error).message.split('\n')[0]! }
    }
  }
  const sys = () => import('../../sys/index.ts')
  return {
    addon: await attempt(sys, () => 'loaded'),
    keeper: await attempt(async () => (await sys()).findKeeper(), String),
    unixDgram: (await hasUnixDgram()) ? { what: 'loaded' } : { why: 'its binary is not here' },
  }
}

async function hasUnixDgram(): Promise<boolean> {
  try {
    return (await import('../../sys/index.ts')).hasUnixDgram()
  } catch {
    return false
  }
}

function pathFacts(path: string): PathFacts {
  try {
    const stat = statSync(path)
    return { path, stat: { uid: stat.uid, mode: stat.mode & 0o7777, directory: stat.isDirectory() } }
  } catch {
    return { path }
  }
}

function readNumber(file: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10)
  } catch {
    return undefined
  }
}

/** Hard RLIMIT_NOFILE and effective capabilities (proc(5)); undefined for a process that may not be looked at. */
function readProcess(pid: number): Pick<Facts, 'openFiles' | 'capabilities'> | undefined {
  try {
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8')
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const hard = /^Max open files +\S+ +(\S+)/m.exec(limits)![1]!
    return {
      openFiles: hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard),
      capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)![1]}`),
    }
  } catch {
    return undefined
  }
}
