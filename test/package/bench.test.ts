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

it('an unknown section is a wrong usage that names those there are', async () => {
  const failed = run(process.execPath, [MAIN, '--only', 'grants'])
  await expect(failed).rejects.toMatchObject({ code: 100, stderr: expect.stringContaining('there are grant, growth') })
})
