import { readdirSync, readlinkSync } from 'node:fs'
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

/** Makes every test of the file fail that leaves a descriptor behind. */
export function forbidLeaks(): void {
  let before: Map<number, string>
  beforeEach(() => {
    before = openFds()
  })
  afterEach(async () => {
    await runCleanups()
    expect(await leakedSince(before)).toEqual([])
  })
}
