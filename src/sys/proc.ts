import { opendirSync, readFileSync, readlinkSync } from 'node:fs'
import { addon } from './addon.ts'
import { isShort } from './passing-errors.ts'
import { asSystemError } from './unix-path.ts'

/**
 * Lets others run on this processor, if any wait for it. Who was just sent something does: the kernel takes a send on a Unix socket for
 * the sender's last act before it sleeps, and wakes the receiver on the sender's processor (WF_SYNC).
 */
export function yieldProcessor(): void {
  addon.yield()
}

/**
 * Asks for turns of that length (sched_setattr(2), Linux 6.12), 100 to 100,000: the same share of the processor in smaller pieces. The
 * scheduler prefers whoever wants a short turn: a thread that wakes for one runs at once, before one that has a long turn under way
 * (EEVDF, kernel/sched/fair.c). Needs no privilege. Nothing changes where it is refused, where this thread has a policy of its own, and
 * on older kernels.
 */
export function askForShortTurns(microseconds: number): void {
  addon.slice(microseconds)
}

export interface ProcessStatus {
  uid: number
  gid: number
  startTime: number
}

/**
 * What `read` answers; undefined where there is no such file any more, or it is not ours to read. Throws SystemError for want of
 * descriptors or memory, which says nothing of the process that was asked about.
 */
export function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const cause = asSystemError(error)
    if (isShort(cause)) throw cause
    return undefined
  }
}

export function readText(path: string): string | undefined {
  return unlessGone(() => readFileSync(path, 'utf8'))
}

/** The program's name may hold blanks and parentheses, so the fields are counted from the last parenthesis. */
export function parseStartTime(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[22 - 3])
}

/** The effective uid, which is what SO_PEERCRED carries too. */
export function parseUid(status: string): number {
  return Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1])
}

/** The effective gid. */
function parseGid(status: string): number {
  return Number(/^Gid:\s+\d+\s+(\d+)/m.exec(status)?.[1])
}

/** The parent's pid; undefined when the process has ended. */
export function parentOf(pid: number): number | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4 - 3])
}

/** The eldest first. */
export function childrenOf(pid: number): number[] {
  return (readText(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter(Boolean).map(Number)
}

/** The program's name, cut by the kernel to 15 bytes. */
export function nameOf(pid: number): string | undefined {
  return readText(`/proc/${pid}/comm`)?.replace(/\n$/, '')
}

export function readProcess(pid: number): ProcessStatus | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  const status = readText(`/proc/${pid}/status`)
  if (stat === undefined || status === undefined) return undefined
  return { uid: parseUid(status), gid: parseGid(status), startTime: parseStartTime(stat) }
}

/** Whether there is no such process any more; a zombie has ended. */
export function isGone(pid: number): boolean {
  const stat = readText(`/proc/${pid}/stat`)
  return stat === undefined || /^\d+ \(.*\) Z/s.test(stat)
}

/** Whether its open descriptors are ours to see, or it has none any more: its directory of them needs its uid, each of them ptrace(2), as its program does. */
export function mayLookInto(pid: number): boolean {
  try {
    opendirSync(`/proc/${pid}/fd`).closeSync()
    readlinkSync(`/proc/${pid}/exe`)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ESRCH'
  }
}
