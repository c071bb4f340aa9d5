// Holds for every test, wherever it stands: what it opens, starts, makes or sets on a shared file is gone or set back at its end.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { forbidLeaks } from './leaks.ts'

// A directory for this file's temporary files alone, where other users may go.
const former = process.env['TMPDIR']
const directory = mkdtempSync(join(tmpdir(), 't-'))
chmodSync(directory, 0o1777)
process.env['TMPDIR'] = directory

// Node sets O_NONBLOCK on pipes when these are first used, which is no test's doing.
for (const stream of [process.stdout, process.stderr]) void stream.writable

forbidLeaks()

afterAll(() => {
  if (former === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = former
  rmSync(directory, { recursive: true })
})
