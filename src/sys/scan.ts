// Who has a socket open, and who is behind a pid: read from /proc on another thread, since with thousands of processes the
// event loop would stand for as long.

import { addon } from './addon.ts'
import { parseCgroup, parseCommand } from './process-facts.ts'
import { SystemError } from './system-error.ts'

export interface ScannedProcess {
  pid: number
  parent: number
  uid: number
  gid: number
  /** Of the sockets looked for, those that it has open. */
  inodes: number[]
  cgroup: string | undefined
  command: string
}

/** struct proc_record of native/proc_scan.h. */
const HEADER = 7 * 4
const INODE = 8
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/**
 * One walk at a time: whoever waits on a peer's slow /proc keeps one thread of the pool, not all of them. A look at a few known processes
 * is no walk, and does not wait for one.
 */
const last = { walk: Promise.resolve() as Promise<unknown>, few: Promise.resolve() as Promise<unknown> }

export interface Survey {
  found: Iterable<ScannedProcess>
  /** Pids of the processes whose descriptors we may not read; none when no inode was looked for. */
  unseen: readonly number[]
}

/**
 * The processes that have one of these sockets open, as far as we may look into them (ptrace(2)), and those of `pids` that still
 * live. Without inodes only `pids` are looked at.
 */
export async function scanProcesses(
  inodes: Iterable<number>,
  pids: Iterable<number> = [],
): Promise<Iterable<ScannedProcess>> {
  return (await surveyProcesses(inodes, pids)).found
}

/** As scanProcesses(), and who could not be looked into. */
export async function surveyProcesses(inodes: Iterable<number>, pids: Iterable<number>): Promise<Survey> {
  const wanted = BigUint64Array.from([...new Set(inodes)].map(BigInt)).sort()
  const named = Int32Array.from(new Set(pids)).sort()
  const kind = wanted.length > 0 ? 'walk' : 'few'
  const turn = last[kind].then(() => addon.scanProcesses(wanted, named))
  last[kind] = turn.catch(() => {})
  const answer = await turn
  if (typeof answer === 'number') throw new SystemError(-answer, 'reading /proc')
  const [found, { buffer, byteOffset, length }] = answer
  return { found: records(found), unseen: [...new Uint32Array(buffer.slice(byteOffset, byteOffset + length))] }
}

function* records(bytes: Uint8Array): Generator<ScannedProcess> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const word = (at: number) => view.getUint32(at, LITTLE_ENDIAN)
  for (let at = 0; at < bytes.length; ) {
    const sockets = at + HEADER
    const cgroup = sockets + word(at + 16) * INODE
    const command = cgroup + word(at + 20)
    const end = command + word(at + 24)
    const inodes: number[] = []
    for (let each = sockets; each < cgroup; each += INODE) inodes.push(Number(view.getBigUint64(each, LITTLE_ENDIAN)))
    yield {
      pid: word(at),
      parent: word(at + 4),
      uid: word(at + 8),
      gid: word(at + 12),
      inodes,
      cgroup: parseCgroup(text(bytes, cgroup, command)),
      command: parseCommand(text(bytes, command, end)),
    }
    at = end
  }
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8')
}
