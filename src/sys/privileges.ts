// Giving up root: another user on every thread, with some capabilities and no way back.

import { readdirSync, readFileSync } from 'node:fs'
import { addon } from './addon.ts'
import { check } from './system-error.ts'

/** Those that the broker may need: their numbers in linux/capability.h. */
export const CAPABILITIES = {
  CAP_CHOWN: 0,
  CAP_DAC_READ_SEARCH: 2,
  CAP_KILL: 5,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_PTRACE: 19,
} as const

export type Capability = keyof typeof CAPABILITIES

/** @types/node does not know it. */
interface WithInitgroups {
  initgroups(user: string, group: number): void
}

export interface Login {
  /** As it was given: a name, or digits. */
  name: string
  uid: number
  gid: number
}

export interface Dropped {
  kept: Capability[]
  /** Wanted, but this process did not have them to keep. */
  missing: Capability[]
  /** The bounding set could not be emptied (no CAP_SETPCAP): it is as it was. */
  boundingSetKept: boolean
}

/** Becomes `login` for good, with those of `wanted` that this process has. Throws when any thread is not as it should be then. */
export function becomeUser(login: Login, wanted: readonly Capability[]): Dropped {
  const had = setOf(readFileSync('/proc/self/status', 'utf8'), 'CapPrm')
  const kept = wanted.filter((name) => had & bit(name))
  const keep = kept.reduce((set, name) => set | bit(name), 0n)
  const words = [Number(BigInt.asIntN(32, keep)), Number(BigInt.asIntN(32, keep >> 32n))] as const
  check(addon.privilegesPrepare(...words), 'prctl')
  process.setgroups!([])
  if (!/^\d+$/.test(login.name)) (process as unknown as WithInitgroups).initgroups(login.name, login.gid)
  process.setgid!(login.gid)
  process.setuid!(login.uid)
  check(addon.privilegesSettle(...words), 'capset')
  const threads = readdirSync('/proc/self/task').map((thread) =>
    readFileSync(`/proc/self/task/${thread}/status`, 'utf8'),
  )
  for (const status of threads) requireDropped(status, login, keep)
  return {
    kept,
    missing: wanted.filter((name) => !kept.includes(name)),
    boundingSetKept: threads.some((status) => setOf(status, 'CapBnd') !== 0n),
  }
}

const bit = (name: Capability) => 1n << BigInt(CAPABILITIES[name])

function setOf(status: string, field: string): bigint {
  return BigInt(`0x${new RegExp(`^${field}:\\s+([0-9a-f]+)$`, 'm').exec(status)![1]}`)
}

function requireDropped(status: string, { uid, gid }: Login, keep: bigint): void {
  const ids = (field: string) => new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(status)![1]!.split(/\s+/)
  const wrong = [
    ...(ids('Uid').every((id) => id === String(uid)) ? [] : ['Uid']),
    ...(ids('Gid').every((id) => id === String(gid)) ? [] : ['Gid']),
    ...['CapPrm', 'CapEff'].filter((field) => setOf(status, field) !== keep),
    ...['CapInh', 'CapAmb'].filter((field) => setOf(status, field) !== 0n),
    ...(/^NoNewPrivs:\s+1$/m.test(status) ? [] : ['NoNewPrivs']),
  ]
  if (wrong.length > 0) throw new Error(`a thread kept what it should have given up: ${wrong.join(', ')}`)
}
