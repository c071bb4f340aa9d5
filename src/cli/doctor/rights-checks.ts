// Limits, capabilities and paths.

import { capabilityNeeds } from '../../daemon/config/capabilities.ts'
import { counted } from '../../protocol/counted.ts'
import type { Login } from '../../sys/index.ts'
import type { Facts, PathFacts } from './facts.ts'
import { goodConfig } from './facts.ts'
import { type Finding, finding } from './finding.ts'

type Check = (facts: Facts) => Finding[]

/** linux/capability.h */
export const NUMBERS: Readonly<Record<string, bigint>> = {
  CAP_CHOWN: 0n,
  CAP_DAC_READ_SEARCH: 2n,
  CAP_KILL: 5n,
  CAP_NET_BIND_SERVICE: 10n,
  CAP_NET_ADMIN: 12n,
  CAP_NET_RAW: 13n,
  CAP_SYS_PTRACE: 19n,
}

/** Node's own, the log, the control socket, … */
const OWN_FILES = 64
/** A socket, its anchor, and what replaces it for a moment. */
const FILES_PER_SOCKET = 3
/** A connection and a pidfd. */
const FILES_PER_WORKER = 2
const WORKERS_USUAL = 1000

const openFiles: Check = (facts) => {
  const { openFiles, subject } = facts
  const names = [...(goodConfig(facts)?.names.values() ?? [])]
  const sockets = names.reduce((sum, { addresses }) => sum + addresses.length, 0)
  const left = openFiles - OWN_FILES - sockets * FILES_PER_SOCKET
  const workers = Math.max(0, Math.floor(left / FILES_PER_WORKER))
  const remedy = 'raise it: LimitNOFILE= of the unit, or ulimit -H -n'
  const says = `${subject} may open ${openFiles} files: room for ${counted(sockets, 'socket')} and ${counted(workers, 'worker')}`
  if (left <= 0)
    return [
      finding(
        'open files',
        'problem',
        `${subject} may open ${openFiles} files: too few for ${counted(sockets, 'socket')}`,
        remedy,
      ),
    ]
  return workers < WORKERS_USUAL
    ? [finding('open files', 'warning', says, remedy)]
    : [finding('open files', 'ok', says)]
}

const capabilities: Check = (facts) => {
  const config = goodConfig(facts)
  if (config === undefined) return []
  const { capabilities, subject, unprivilegedPort } = facts
  const has = (name: string) => ((capabilities >> NUMBERS[name]!) & 1n) === 1n
  return capabilityNeeds(config, unprivilegedPort).map(({ capability, reasons }) => {
    if (has(capability)) return finding(capability, 'ok', reasons.join('; '))
    // Without this one the broker does not start; the others cost what the reason says.
    const level = capability === 'CAP_NET_BIND_SERVICE' ? 'problem' : 'warning'
    const remedy = `start the broker as root, or with AmbientCapabilities=${capability} in its unit`
    return finding(capability, level, `${subject} does not have it: ${reasons.join('; ')}`, remedy)
  })
}

const configFile: Check = ({ config, configFile }) => {
  if (config === undefined) {
    return [
      finding(
        'config',
        'problem',
        `there is no ${configFile}`,
        'write one (docs/configuration.md), or name it: --config FILE',
      ),
    ]
  }
  if ('faults' in config) {
    return config.faults.map((fault) =>
      finding('config', 'problem', fault, 'mend it; `fd-broker check` tells when it is right'),
    )
  }
  const sockets = [...config.names.values()].reduce((sum, { addresses }) => sum + addresses.length, 0)
  return [
    finding('config', 'ok', `${configFile}: ${counted(config.names.size, 'name')}, ${counted(sockets, 'socket')}`),
  ]
}

const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000

interface Owners {
  /** Who runs this. */
  uid: number
  /** Whom a broker of root becomes. */
  user: Login | undefined
}

function directory(check: string, { path, stat }: PathFacts, { uid, user }: Owners): Finding {
  if (stat === undefined)
    return finding(check, 'note', `there is no ${path} yet`, 'nothing has to be done: the broker makes it')
  if (!stat.directory) return finding(check, 'problem', `${path} is no directory`, 'remove it, or choose another path')
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0 && (stat.mode & STICKY) === 0) {
    return finding(check, 'problem', `others may write to ${path}`, `chmod go-w ${path}`)
  }
  if (stat.uid !== 0 && stat.uid !== uid && stat.uid !== user?.uid) {
    return user === undefined
      ? finding(
          check,
          'warning',
          `${path} belongs to uid ${stat.uid}, not to root or to this user`,
          `chown it, or run doctor as uid ${stat.uid}`,
        )
      : finding(
          check,
          'warning',
          `${path} belongs to uid ${stat.uid}, not to root or to ${user.name}, whom the broker becomes`,
          `chown ${user.name} ${path}`,
        )
  }
  return finding(check, 'ok', path)
}

const directories: Check = (facts) => {
  const { controlDirectory, stateDirectory, uid } = facts
  const owners = { uid, user: goodConfig(facts)?.broker.user }
  return [
    directory('control directory', controlDirectory, owners),
    ...(stateDirectory.path === controlDirectory.path ? [] : [directory('state_dir', stateDirectory, owners)]),
  ]
}

const paths: Check = ({ unwritable }) => unwritable.map(({ what, remedy }) => finding('paths', 'warning', what, remedy))

export const RIGHTS_CHECKS: readonly Check[] = [configFile, directories, paths, openFiles, capabilities]
