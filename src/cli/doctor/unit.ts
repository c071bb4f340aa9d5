import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Facts } from './facts.ts'

const UNIT = 'fd-broker.service'
/** systemd.unit(5): the first that has it counts. */
const DIRECTORIES = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
]

/** sd_booted(3) */
export const hasSystemd = () => existsSync('/run/systemd/system')

export function findUnit(): Facts['unit'] {
  const file = DIRECTORIES.map((directory) => `${directory}/${UNIT}`).find((path) => existsSync(path))
  return file === undefined
    ? undefined
    : { file, state: hasSystemd() ? stateOfUnit() : 'not started: systemd does not run' }
}

/** `is-active` says it on standard output, whatever its exit status. */
function stateOfUnit(): string {
  try {
    return execFileSync('systemctl', ['is-active', UNIT], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch (error) {
    return (error as { stdout?: string }).stdout?.trim() || 'unknown'
  }
}
