// Deletes each row of the lease table, one at a time, and each single action of each row, and runs the core's facts
// against what is left: a mutant that no test notices is a rule that no test proves. Prints the score; exits 1 below 100 %.
// A mutant that makes the core turn for ever is stopped after LIMIT and counts as noticed.
// usage: node scripts/mutate-lease-table.mjs [rows|actions]

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..')
const LIMIT = 30_000
// The totality test is left out: it notices every missing row without knowing what the row is for.
const NOT_BY_COUNTING = '^(?!.*is total)'

const which = process.argv[2]
const scratch = mkdtempSync(join(tmpdir(), 'mutants-'))
try {
  const table = await readTable()
  const mutants = mutantsOf(table).filter(({ kind }) => which === undefined || kind === which)
  const survivors = []
  const endless = []
  for (const mutant of mutants) {
    const outcome = await run(mutant.code)
    if (outcome === 'passed') survivors.push(mutant)
    if (outcome === 'endless') endless.push(mutant)
  }
  for (const { kind, label } of survivors) console.log(`survived: ${kind} ${label}`)
  for (const { kind, label } of endless) console.log(`endless (noticed): ${kind} ${label}`)
  for (const kind of ['rows', 'actions']) {
    const all = mutants.filter((mutant) => mutant.kind === kind).length
    const alive = survivors.filter((mutant) => mutant.kind === kind).length
    if (all > 0)
      console.log(`${kind}: ${all - alive} of ${all} noticed (${((100 * (all - alive)) / all).toFixed(1)} %)`)
  }
  process.exitCode = survivors.length === 0 ? 0 : 1
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

function mutantsOf(table) {
  return Object.entries(table).flatMap(([state, rows]) =>
    Object.entries(rows).flatMap(([event, row]) => [
      { kind: 'rows', label: `${state} × ${event}`, code: `delete LEASE_TABLE['${state}']['${event}']` },
      ...row.do.map((action) => ({
        kind: 'actions',
        label: `${state} × ${event}: ${action}`,
        code: `const row = LEASE_TABLE['${state}']['${event}']; row.do = row.do.filter((action) => action !== '${action}')`,
      })),
    ]),
  )
}

/** The table as vitest sees it, so that this script needs no compiler of its own. */
async function readTable() {
  const out = join(scratch, 'table.json')
  const code = `import { writeFileSync } from 'node:fs'; writeFileSync('${out}', JSON.stringify(LEASE_TABLE))`
  if ((await run(code)) !== 'passed') throw new Error('the facts fail on the whole table: mend that first')
  return JSON.parse(readFileSync(out, 'utf8'))
}

/** Runs the facts after the code, which finds LEASE_TABLE. */
async function run(code) {
  writeFileSync(join(scratch, 'setup.ts'), `import { LEASE_TABLE } from '${ROOT}/src/core/lease-table.ts'\n${code}\n`)
  writeFileSync(
    join(scratch, 'vitest.config.mjs'),
    `export default { test: ${JSON.stringify({
      root: ROOT,
      include: ['src/core/**/*.test.ts'],
      pool: 'forks',
      fileParallelism: false,
      setupFiles: [join(scratch, 'setup.ts')],
      env: { FD_BROKER_HISTORIES: '100' },
    })} }`,
  )
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  const options = ['--bail', '1', '--config', join(scratch, 'vitest.config.mjs'), '--testNamePattern', NOT_BY_COUNTING]
  return await finish([vitest, 'run', ...options])
}

/** In a process group of its own, so that a worker that turns for ever is stopped too. */
function finish(argv) {
  const child = spawn(process.execPath, argv, { cwd: ROOT, stdio: 'ignore', detached: true })
  return new Promise((settled, failed) => {
    const late = setTimeout(() => {
      settled('endless')
      process.kill(-child.pid, 'SIGKILL')
    }, LIMIT)
    child.on('error', failed)
    child.on('exit', (status) => {
      clearTimeout(late)
      settled(status === 0 ? 'passed' : 'noticed')
    })
  })
}
