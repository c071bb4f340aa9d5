// The measurements of bench/, run short: a test looks at what must hold, never at a speed.

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { temporaryDirectory } from './daemon.ts'

/** Runs a script of bench/ with `--json`; expects the status, and that it leaves nothing behind. Returns its figures. */
export async function runBench<T>(
  script: string,
  args: readonly string[] = [],
  status = 0,
  timeout = 80_000,
): Promise<T> {
  const directory = temporaryDirectory()
  const file = resolve(import.meta.dirname, '../../bench', script)
  const child = spawn(process.execPath, [file, '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: directory },
    timeout,
  })
  const ended = new Promise<number | null>((done) => child.once('exit', done))
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  expect({ code, stderr: status === 0 ? stderr : '' }).toEqual({ code: status, stderr: '' })
  expect(readdirSync(directory)).toEqual([])
  return JSON.parse(stdout) as T
}
