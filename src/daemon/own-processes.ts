// Processes that have the sockets open by right, without any lease: the broker, its keeper, and the service manager that
// stores them or passed them.

import { nameOf, parentOf } from '../sys/index.ts'

/** As the kernel cuts it, to 15 bytes. */
const KEEPER = 'fd-broker-keepe'
const MANAGER = 'systemd'
const ANCESTORS_MOST = 16

export interface OwnProcesses {
  pids: ReadonlySet<number>
  /** Its children are brokers, one of them perhaps about to replace this one. */
  keeper: number | undefined
}

export function ownProcesses(): OwnProcesses {
  const pids = new Set([process.pid])
  let keeper: number | undefined
  for (const pid of ancestorsOf(process.pid)) {
    const name = nameOf(pid)
    if (name === KEEPER) keeper = pid
    if (name === KEEPER || name === MANAGER) pids.add(pid)
  }
  return { pids, keeper }
}

/** Its parent first. `known`: answers parents that need not be asked for again. */
export function* ancestorsOf(pid: number, known?: (pid: number) => number | undefined): Generator<number> {
  let at: number | undefined = pid
  for (let steps = 0; steps < ANCESTORS_MOST; steps++) {
    at = known?.(at) ?? parentOf(at)
    if (at === undefined || at < 1) return
    yield at
  }
}
