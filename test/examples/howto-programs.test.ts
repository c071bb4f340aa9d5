import { it } from 'vitest'
import { forbidLeaks } from '../support/leaks.ts'
import { isInstalled, runDocument } from '../support/readme.ts'

forbidLeaks()

const NEEDED = ['gunicorn', 'nginx', 'systemd-notify']

it.runIf(NEEDED.every(isInstalled))(
  `every command in docs/howto-programs.md does what it says there (where there are ${NEEDED.join(', ')})`,
  async () => {
    await runDocument('docs/howto-programs.md', { cwd: 'examples', config: 'examples/python-socket/broker.toml' })
  },
  60_000,
)
