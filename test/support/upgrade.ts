// A broker that runs from a copy of the package, of which a test makes another version.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { atEnd } from './cleanup.ts'
import { CLI, type Daemon } from './daemon.ts'

export interface UpgradeRun {
  status: number
  stdout: string
  stderr: string
}

/** `fd-broker upgrade`, to its end. */
export function runUpgrade(daemon: Daemon): Promise<UpgradeRun> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, '--socket', daemon.control, 'upgrade'], (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

/** Writes another text over a file of the copy, as an installation does it, until the test ends. */
export function install(copy: string, file: string, change: (text: string) => string): void {
  const path = join(copy, file)
  // The broker is of one piece there: what is changed here would not be seen.
  putAway(join(copy, 'dist/cli/broker.cjs'))
  const before = readFileSync(path, 'utf8')
  const after = change(before)
  if (after === before) throw new Error(`${file} does not have what the test changes`)
  replace(path, after)
  atEnd(() => replace(path, before))
}

/** Until the test ends. */
function putAway(path: string): void {
  if (!existsSync(path)) return
  renameSync(path, `${path}.away`)
  atEnd(() => renameSync(`${path}.away`, path))
}

/** By rename: a file that is being read stays what it is. */
export function replace(path: string, content: string | Uint8Array, mode = 0o755): void {
  writeFileSync(`${path}.new`, content, { mode })
  renameSync(`${path}.new`, path)
}
