import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

const MAIN = resolve(import.meta.dirname, '../../bench/main.mjs')
const run = promisify(execFile)

forbidLeaks()

it('npm run bench measures the grant of each party and writes what it measured', { timeout: 200_000 }, async () => {
  const json = join(temporaryDirectory(), 'results.json')
  const { stdout } = await run(process.execPath, [MAIN, '--quick', '--only', 'grant', '--json', json])
  expect(stdout).toContain('fd-broker, C client')
  const { grant } = JSON.parse(readFileSync(json, 'utf8')) as { grant: { tables: { rows: (string | number)[][] }[] } }
  expect(grant.tables).toHaveLength(2)
  for (const { rows } of grant.tables) {
    for (const party of ['C to C, the floor', 'fd-broker, C client', 'fd-broker, SDK']) {
      expect(rows.find(([what]) => what === party)?.[1]).toBeGreaterThan(0)
    }
  }
})

type Row = readonly [string, ...(number | null)[]]

it('takeovers under load lose nothing, where a stop and a start lose requests', { timeout: 200_000 }, async () => {
  const json = join(temporaryDirectory(), 'results.json')
  await run(process.execPath, [MAIN, '--quick', '--only', 'gap', '--json', json])
  const { gap } = JSON.parse(readFileSync(json, 'utf8')) as { gap: { tables: { rows: Row[] }[] } }
  const [crashes, ...takeovers] = gap.tables.map(({ rows }) => rows)
  const refused = Object.fromEntries(crashes!.map(([what, _p50, _worst, count]) => [what, count]))
  expect(refused['self-bound, restart loop']).toBeGreaterThan(0)
  expect(refused['fd-broker, exclusive with a standby']).toBe(0)
  expect(takeovers).toHaveLength(2)
  for (const rows of takeovers) {
    const failed = Object.fromEntries(rows.map(([what, count]) => [what, count]))
    expect(failed['stop, start']).toBeGreaterThan(0)
    expect(failed['fd-broker, takeover']).toBe(0)
  }
})

it('an unknown section is a wrong usage that names those there are', async () => {
  const failed = run(process.execPath, [MAIN, '--only', 'grants'])
  await expect(failed).rejects.toMatchObject({ code: 100, stderr: expect.stringContaining('there are grant, growth') })
})
