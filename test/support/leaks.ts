import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect } from 'vitest'
import { runCleanups } from './cleanup.ts'

/** What this process has open, by number. */
export function openFds(): Map<number, string> {
  const open = new Map<number, string>()
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      open.set(Number(name), readlinkSync(`/proc/self/fd/${name}`))
    } catch {
      // The descriptor that readdir itself had.
    }
  }
  return open
}

function opened(before: Map<number, string>): string[] {
  return [...openFds()].filter(([fd, what]) => before.get(fd) !== what).map(([fd, what]) => `${fd} ${what}`)
}

/** Descriptors opened since `before` that are still there after a second: some are closed off the thread, or next turn. */
export async function leakedSince(before: Map<number, string>): Promise<string[]> {
  for (let i = 0; i < 50 && opened(before).length > 0; i++) await sleep(20)
  return opened(before)
}

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

async function childrenSince(before: readonly string[]): Promise<string[]> {
  const started = () => children().filter((child) => !before.includes(child))
  for (let i = 0; i < 50 && started().length > 0; i++) await sleep(20)
  return started()
}

/** Makes every test of the file fail that leaves a descriptor or a child behind. */
export function forbidLeaks(): void {
  let fds: Map<number, string>
  let processes: string[]
  beforeEach(() => {
    fds = openFds()
    processes = children()
  })
  afterEach(async () => {
    await runCleanups()
    expect(await leakedSince(fds)).toEqual([])
    expect(await childrenSince(processes)).toEqual([])
  })
}
