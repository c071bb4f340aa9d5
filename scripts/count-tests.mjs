// Prints vitest's JSON report as the one line that machines read: `N passed, N failed`, and `, N skipped` when some were.

import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))

// A file that could not be loaded has no test that failed; it counts as one, or a broken file would look like success.
const unloaded = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
).length

const failed = report.numFailedTests + unloaded
const skipped = report.numPendingTests + report.numTodoTests
console.log(`${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
