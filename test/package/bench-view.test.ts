import { execFile, spawnSync } from 'node:child_process'
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
  const size = '--names 20 --workers 4 --leases 5 --processes 10 --seconds 0.3 --rounds 2'.split(' ')
  const { stdout, stderr } = await run(process.execPath, [MAIN, ...size], {
    env: { ...process.env, TMPDIR: directory },
  })
  expect(stderr).toBe('')
  const first = spawnSync('chrt', ['--fifo', '1', 'true']).status === 0
  const [head] = stdout.split('\n')
  if (first) expect(head).toMatch(/^20 names, 20 leases, \d+ processes$/)
  else expect(head).toMatch(/^20 names, 20 leases, \d+ processes; acquiring at the ordinary priority$/)
  const rows = [...stdout.matchAll(/^(.*?\S) {2,}(\d*)((?: +-?[\d.]+ ms){4})$/gm)].map(([, what, count, figures]) => ({
    what: what!,
    count: Number(count),
    figures: figures!.split('ms').slice(0, 4).map(Number),
  }))
  const later = '  later than when nobody looks'
  expect(rows.map(({ what }) => what)).toEqual([
    'list, as the SDK gets it',
    'holders, as the SDK gets it',
    'acquire, nobody looks',
    'list, one after another',
    'acquire, during list',
    later,
    'holders, one after another',
    'acquire, during holders',
    later,
  ])
  for (const { count, figures } of rows.filter(({ what }) => what !== later)) {
    expect(count).toBeGreaterThan(0)
    expect(figures).toEqual([...figures].sort((a, b) => a - b))
  }
  const [undisturbed, , during, difference] = rows.slice(2).map(({ figures }) => figures)
  // From 10 ms on, figures are whole milliseconds.
  for (const [at, ms] of difference!.entries())
    expect(Math.abs(ms - (during![at]! - undisturbed![at]!))).toBeLessThan(2)
  expect(readdirSync(directory)).toEqual([])
})
