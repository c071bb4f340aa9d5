import { accessSync, chownSync, constants } from 'node:fs'
import { becomeUser } from '../sys/index.ts'
import { capabilityNeeds } from './config/capabilities.ts'
import { unprivilegedPort } from './config/config-env.ts'
import type { Config } from './config/model.ts'
import { byMode, type DirectoryHost, unwritableDirectories } from './config/unwritable-paths.ts'
import type { Log } from './log.ts'

/**
 * Becomes the configured user, with what the features in use need of root and no way back. `made`: directories that the broker made for
 * itself, which are that user's from now on; what stood there before stays whose it is.
 */
export function giveUpRoot(config: Config, log: Log, made: readonly string[]): void {
  const { user } = config.broker
  const uid = process.geteuid!()
  if (user === undefined || (uid === user.uid && uid !== 0)) return
  if (uid !== 0) throw new Error(`user = "${user.name}": only root can become another user, and this is uid ${uid}`)
  for (const directory of made) chownSync(directory, user.uid, user.gid)
  const needs = capabilityNeeds(config, unprivilegedPort())
  const { kept, missing, boundingSetKept } = becomeUser(
    user,
    needs.map(({ capability }) => capability),
  )
  const capabilities = Object.fromEntries(
    needs.filter(({ capability }) => kept.includes(capability)).map(({ capability, reasons }) => [capability, reasons]),
  )
  log.info({ user: user.name, uid: user.uid, gid: user.gid, capabilities }, 'root given up')
  for (const { directory, names, what, remedy } of unwritableDirectories(config, AS_SELF))
    log.warn({ directory, names }, `${what}: ${remedy}`)
  if (missing.length > 0) log.warn({ capabilities: missing }, 'these were not there to keep: what needs them will fail')
  if (boundingSetKept) log.warn('the bounding set could not be emptied: that needs CAP_SETPCAP')
}

/** The kernel's word, once this process is that user. */
const AS_SELF: DirectoryHost = {
  stat: byMode.stat,
  mayWrite(_, directory) {
    try {
      accessSync(directory, constants.W_OK | constants.X_OK)
      return true
    } catch {
      return false
    }
  },
}
