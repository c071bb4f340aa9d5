// Whether `holders` can tell of every copy.

import type { Facts } from './facts.ts'
import { type Finding, finding } from './finding.ts'
import { NUMBERS } from './rights-checks.ts'

/** To open /proc/PID/fd of another user's process, and to read what is in it (proc(5)). */
const NEEDED = ['CAP_DAC_READ_SEARCH', 'CAP_SYS_PTRACE']

export function sightCheck({ capabilities, subject }: Facts): Finding[] {
  const missing = NEEDED.filter((name) => ((capabilities >> NUMBERS[name]!) & 1n) === 0n)
  if (missing.length === 0)
    return [finding('undeclared copies', 'ok', '`fd-broker holders` sees those of every process')]
  return [
    finding(
      'undeclared copies',
      'note',
      `${subject} has no ${missing.join(' and ')}: \`fd-broker holders\` does not see copies that other users’ processes have, and says of how many`,
      'docs/systemd.md has the drop-in that adds them, if you can do with a less confined broker',
    ),
  ]
}
