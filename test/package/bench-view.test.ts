import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

const MAIN = resolve(import.meta.dirname, '../../bench/view/main.mjs')
const run = promisify(execFile)

forbidLeaks()

it('npm run bench:view measures list, holders and acquires meanwhile', { timeout: 100_000 }, async () => {
  const directory = temporaryDirectory()
  const size = ['--names', '20', '--workers', '4', '--leases', '5', '--processes', '10', '--seconds', '0.3']
  const { stdout, stderr } = await run(process.execPath, [MAIN, ...size], {
    env: { ...process.env, TMPDIR: directory },
  })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^20 names, 20 leases, \d+ processes\n/)
  const figures = [...stdout.matchAll(/^(\S.*?) +(\d+) +([\d.]+) ms +([\d.]+) ms +([\d.]+) ms$/gm)]
  expect(figures.map(([, what]) => what)).toEqual([
    'list, as the SDK gets it',
    'holders, as the SDK gets it',
    'acquire, nobody looks',
    'acquire, during list',
    'list, one after another',
    'acquire, during holders',
    'holders, one after another',
    'acquire, nobody looks',
  ])
  for (const [, , count, p50, p99, most] of figures) {
    expect(Number(count)).toBeGreaterThan(0)
    expect(Number(p50)).toBeLessThanOrEqual(Number(p99))
    expect(Number(p99)).toBeLessThanOrEqual(Number(most))
  }
  expect(readdirSync(directory)).toEqual([])
})
