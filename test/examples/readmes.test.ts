// Every command in the READMEs of examples/ is run, and says what the README says.

import { describe, it } from 'vitest'
import { forbidLeaks } from '../support/leaks.ts'
import { isInstalled, runDocument } from '../support/readme.ts'

forbidLeaks()

const run = (example: string) =>
  runDocument(`examples/${example}/README.md`, {
    cwd: `examples/${example}`,
    config: `examples/${example}/broker.toml`,
  })

describe('the README of an example is true', () => {
  it('blue-green', () => run('blue-green'), 60_000)
  it('hot-standby', () => run('hot-standby'), 60_000)
  it('python-socket', () => run('python-socket'), 60_000)
  it.runIf(isInstalled('gunicorn'))(
    'gunicorn (where it is installed: scripts/setup-tools)',
    () => run('gunicorn'),
    60_000,
  )
  it.runIf(isInstalled('nginx'))('nginx (where it is installed: scripts/setup-tools)', () => run('nginx'), 60_000)
})
