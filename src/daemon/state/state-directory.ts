import { makeDirectories } from '../../sys/index.ts'
import type { Log } from '../log.ts'

const MODE = 0o755

/** Makes what is missing of it, and says which directories those are. Without it the broker serves, and cannot list its sockets. */
export function makeStateDirectory(path: string, log: Log): string[] {
  try {
    return makeDirectories(path, MODE)
  } catch (error) {
    log.warn({ path, err: error }, 'state_dir cannot be made')
    return []
  }
}
