import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const bench = fileURLToPath(new URL('../../bench/reload.mjs', import.meta.url))

it('20 reloads with random valid and faulty files under load: no connection fails, unchanged names keep their cookies', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [bench, '--reloads', '20', '--seed', '7'])
  const figures = JSON.parse(stdout)
  expect(figures).toMatchObject({ reloads: 20, wrong: 0, failed: 0, dropped: 0, unchangedKeptCookie: true })
  expect(figures.applied).toBeGreaterThan(0)
  expect(figures.refused).toBeGreaterThan(0)
  expect(figures.connections).toBeGreaterThan(100)
})
