// Control groups of version 2 for tests, where this machine lets us make one.

import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { atEnd } from './cleanup.ts'

/** Where version 2 is mounted; undefined on a machine without it. */
export function cgroupRoot(): string | undefined {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  return mounts.map((line) => line.split(' ')).find(([, , type]) => type === 'cgroup2')?.[1]
}

/** True when this process may make control groups. */
export function canMakeCgroups(): boolean {
  const root = cgroupRoot()
  if (root === undefined) return false
  try {
    const probe = join(root, `fd-broker-probe-${process.pid}`)
    mkdirSync(probe)
    rmdirSync(probe)
    return true
  } catch {
    return false
  }
}

/** Makes `path` below the root, part by part; removed when the test ends, its processes having ended before. */
export function makeCgroup(path: string): string {
  let directory = cgroupRoot()!
  for (const part of path.split('/')) {
    directory = join(directory, part)
    mkdirSync(directory)
    const made = directory
    atEnd(() => rmdirSync(made))
  }
  return directory
}
