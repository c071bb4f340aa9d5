// The client that was written from docs/protocol.md alone, and check_broker.py, prove themselves; see the files beside.

import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

const python = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 11))']).status === 0

it.runIf(python)(
  'the independent Python client passes its own tests (needs Python 3.11)',
  () => {
    const run = spawnSync('python3', ['-B', '-m', 'unittest'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      timeout: 240_000,
    })
    expect(run.stderr).toMatch(/^OK$/m)
    expect(run.status).toBe(0)
  },
  250_000,
)
