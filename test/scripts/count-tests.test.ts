import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/count-tests.mjs', import.meta.url))

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'count-tests-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function count(report: string) {
  const path = join(directory, 'report.json')
  writeFileSync(path, report)
  return spawnSync(process.execPath, [script, path], { encoding: 'utf8' })
}

const totals = { numPassedTests: 3, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0 }
const failedFile = { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] }
const brokenFile = { status: 'failed', assertionResults: [] }

it('prints what passed and what failed, alone on a line', () => {
  expect(count(JSON.stringify({ ...totals, testResults: [failedFile] })).stdout).toBe('3 passed, 1 failed\n')
})

it('counts a file that could not be loaded as a failure', () => {
  const report = { ...totals, numFailedTests: 0, testResults: [brokenFile] }
  expect(count(JSON.stringify(report)).stdout).toBe('3 passed, 1 failed\n')
})

it('adds what was skipped', () => {
  const report = { ...totals, numFailedTests: 0, numPendingTests: 2, testResults: [] }
  expect(count(JSON.stringify(report)).stdout).toBe('3 passed, 0 failed, 2 skipped\n')
})

it('fails, and counts nothing, without a report', () => {
  const { status, stdout } = count('')
  expect(status).not.toBe(0)
  expect(stdout).toBe('')
})
