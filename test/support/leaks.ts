import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect } from 'vitest'
import { runCleanups } from './cleanup.ts'

// open(2); Node does not name it.
const O_CLOEXEC = 0o2000000

/** What a process has open, by number. */
export function openFds(pid: number | 'self' = 'self'): Map<number, string> {
  const open = new Map<number, string>()
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      open.set(Number(name), readlinkSync(`/proc/${pid}/fd/${name}`))
    } catch {
      // Closed meanwhile, as the descriptor that readdir itself had.
    }
  }
  return open
}

function opened(before: Map<number, string>): string[] {
  return [...openFds()].filter(([fd, what]) => before.get(fd) !== what).map(([fd, what]) => `${fd} ${what}`)
}

/** What is still there after a second of those that `look` sees: some are closed off the thread, or next turn. */
async function lasting(look: () => string[]): Promise<string[]> {
  let seen = look()
  for (let i = 0; i < 50 && seen.length > 0; i++) {
    await sleep(20)
    seen = look()
  }
  return seen
}

/** Descriptors opened since `before`. */
export const leakedSince = (before: Map<number, string>): Promise<string[]> => lasting(() => opened(before))

/** Children of this process, as text: pid and program. Those that have ended and are about to be reaped do not count. */
function children(): string[] {
  const self = `/proc/${process.pid}/task`
  const pids = readdirSync(self).flatMap((task) => readText(`${self}/${task}/children`).trim().split(' '))
  const stats = pids.filter((pid) => pid !== '').map((pid) => readText(`/proc/${pid}/stat`))
  return stats.map((stat) => /^(\d+ \(.*\)) [^Z]/s.exec(stat)?.[1]).filter((text) => text !== undefined)
}

/** Empty for a process that has gone meanwhile, and on a kernel without CONFIG_PROC_CHILDREN. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const childrenSince = (before: readonly string[]): Promise<string[]> =>
  lasting(() => children().filter((child) => !before.includes(child)))

/** The status flags (O_NONBLOCK, O_APPEND …) of what is open, by number: they belong to the open file, which others share. */
function statusFlags(): Map<number, string> {
  const flags = new Map<number, string>()
  for (const [fd, what] of openFds()) {
    const text = /^flags:\s*(\d+)/m.exec(readText(`/proc/self/fdinfo/${fd}`))?.[1]
    if (text !== undefined) flags.set(fd, `${what} 0${(Number.parseInt(text, 8) & ~O_CLOEXEC).toString(8)}`)
  }
  return flags
}

/** Of descriptors that stayed open, those whose flags are others now; one that was closed and opened anew is none of these. */
function flagsChangedSince(before: Map<number, string>): string[] {
  const what = (text: string) => text.slice(0, text.lastIndexOf(' '))
  return [...statusFlags()].flatMap(([fd, now]) => {
    const then = before.get(fd)
    return then === undefined || then === now || what(then) !== what(now) ? [] : [`${fd}: ${then}, now ${now}`]
  })
}

/** Entries of this process's directory for temporary files. */
function paths(): string[] {
  return readdirSync(tmpdir()).sort()
}

/** Makes every test of the file fail that leaves a descriptor, a child, a path or a changed status flag behind. */
export function forbidLeaks(): void {
  let fds: Map<number, string>
  let flags: Map<number, string>
  let processes: string[]
  let files: string[]
  beforeEach(() => {
    fds = openFds()
    flags = statusFlags()
    processes = children()
    files = paths()
  })
  afterEach(async () => {
    await runCleanups()
    expect(await leakedSince(fds), 'descriptors left open').toEqual([])
    expect(await childrenSince(processes), 'children left running').toEqual([])
    expect(flagsChangedSince(flags), 'status flags changed').toEqual([])
    expect(paths(), `paths in ${tmpdir()}`).toEqual(files)
  })
}
