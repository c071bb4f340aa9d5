// Deletes each row of the lease table, one at a time, and each single action of each row, and runs the core's facts
// against what is left: a mutant that no test notices is a rule that no test proves. Prints the score; exits 1 below 100 %.
// usage: node scripts/mutate-lease-table.mjs [rows|actions]

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startVitest } from 'vitest/node'

const ROOT = resolve(import.meta.dirname, '..')
// The totality test is left out: it notices every missing row without knowing what the row is for.
const NOT_BY_COUNTING = /^(?!.*is total)/

const which = process.argv[2]
const scratch = mkdtempSync(join(tmpdir(), 'mutants-'))
try {
  const table = await readTable()
  const mutants = mutantsOf(table).filter(({ kind }) => which === undefined || kind === which)
  const survivors = []
  for (const mutant of mutants) if (await survives(mutant)) survivors.push(mutant)
  for (const { kind, label } of survivors) console.log(`survived: ${kind} ${label}`)
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
  const failed = await run(
    `import { writeFileSync } from 'node:fs'; writeFileSync('${out}', JSON.stringify(LEASE_TABLE))`,
  )
  if (failed > 0) throw new Error('the facts fail on the whole table: mend that first')
  return JSON.parse(readFileSync(out, 'utf8'))
}

async function survives({ code }) {
  return (await run(code)) === 0
}

/** Runs the facts after the code, which finds LEASE_TABLE; returns how many files and tests failed. */
async function run(code) {
  const setup = join(scratch, `setup-${Math.random().toString(36).slice(2)}.ts`)
  writeFileSync(setup, `import { LEASE_TABLE } from '${ROOT}/src/core/lease-table.ts'\n${code}\n`)
  const vitest = await startVitest('test', ['src/core'], {
    root: ROOT,
    watch: false,
    bail: 1,
    reporters: [{}],
    setupFiles: [setup],
    testNamePattern: NOT_BY_COUNTING,
    env: { FD_BROKER_HISTORIES: '100' },
  })
  const failed =
    vitest.state.getCountOfFailedTests() +
    vitest.state.getFiles().filter(({ result }) => result?.state === 'fail').length
  const errors = vitest.state.getUnhandledErrors().length
  await vitest.close()
  process.exitCode = 0
  return failed + errors
}
