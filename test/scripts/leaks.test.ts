import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')

/** Runs one test whose body is `body` in a vitest of its own, under this project's configuration; returns what it said. */
function runTest(body: string): { status: number | null; output: string } {
  const directory = mkdtempSync(join(ROOT, 'test/scripts/leaking-'))
  try {
    const file = join(directory, 'leaking.test.ts')
    writeFileSync(
      file,
      `import fs from 'node:fs'\nimport os from 'node:os'\nimport { spawn } from 'node:child_process'\nimport { it } from 'vitest'\n` +
        `import { setNonBlocking } from '../../../src/sys/index.ts'\nconst shared = fs.openSync('/dev/null', 'r')\nit('leaks', () => { ${body} })\n`,
    )
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', file],
      { cwd: ROOT, encoding: 'utf8', timeout: 60_000, env: { ...process.env, NO_COLOR: '1' } },
    )
    return { status, output: stdout + stderr }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

it.each([
  ['nothing', '', 0, '1 passed'],
  ['a descriptor', `fs.openSync('/dev/null', 'r')`, 1, 'descriptors left open'],
  ['a child', `spawn('sleep', ['10'], { stdio: 'ignore' })`, 1, 'children left running'],
  ['a path', `fs.writeFileSync(os.tmpdir() + '/left', '')`, 1, 'paths in'],
  ['a status flag', 'setNonBlocking(shared, true)', 1, 'status flags changed'],
])('a test that leaves %s behind ends as it should', (_what, body, status, said) => {
  const result = runTest(body)
  expect(result.output).toContain(said)
  expect(result.status).toBe(status)
})

it('has its directory for temporary files to itself', () => {
  expect(tmpdir()).toMatch(/\/t-\w+$/)
})
