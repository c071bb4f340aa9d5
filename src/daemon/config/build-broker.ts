import { dirname } from 'node:path'
import type { Login } from '../../sys/index.ts'
import { BROKER_KEYS } from './broker-keys.ts'
import { buildRules } from './build-rules.ts'
import type { ConfigEnv } from './config-env.ts'
import { SOCKET_PATH_MAX } from './limits.ts'
import type { BrokerModel } from './model.ts'
import { readTable, type Table } from './read-table.ts'
import type { Report } from './report.ts'

export function buildBroker(table: Table, env: ConfigEnv, report: Report): BrokerModel {
  const values = readTable(BROKER_KEYS, table, ['broker'], report)
  const control = values.control ?? defaultControl(env, table, report)
  const user = values.user === undefined ? undefined : buildUser(values.user, env, report)
  const admins = values.admins ?? defaultAdmins(env.uid, user?.uid ?? env.uid)
  return {
    ...(user === undefined ? {} : { user }),
    ...(values.metrics === undefined ? {} : { metrics: { address: values.metrics, mode: values.metrics_mode } }),
    control,
    controlMode: values.control_mode,
    admins: buildRules(admins, ['broker', 'admins'], env, report),
    viewers: buildRules(values.viewers, ['broker', 'viewers'], env, report),
    stateDir: values.state_dir ?? dirname(control),
    helloTimeout: values.hello_timeout,
    reclaimTimeout: values.reclaim_timeout,
    maxConnectionsPerUid: values.max_connections_per_uid,
    maxRequestsPerUid: values.max_requests_per_uid,
  }
}

const SYSTEM_CONTROL = '/run/fd-broker/control.sock'

function defaultControl(env: ConfigEnv, table: Table, report: Report): string {
  // A `control` at fault has been reported; what stands in for it is never used.
  if (env.uid === 0 || Object.hasOwn(table, 'control')) return SYSTEM_CONTROL
  const { runtimeDir } = env
  const control = `${runtimeDir}/fd-broker/control.sock`
  if (runtimeDir === undefined || runtimeDir === '')
    report.fault(['broker', 'control'], 'has no default without XDG_RUNTIME_DIR; set control = "/…/control.sock"')
  else if (!runtimeDir.startsWith('/') || Buffer.byteLength(control) > SOCKET_PATH_MAX)
    report.fault(
      ['broker', 'control'],
      `XDG_RUNTIME_DIR gives "${control}", which is no absolute path of at most ${SOCKET_PATH_MAX} bytes; set control`,
    )
  return control
}

/** Root, and the broker's own user: who starts it, and who it becomes. */
function defaultAdmins(...uids: number[]): string[] {
  return [...new Set([0, ...uids])].map((uid) => `user:${uid}`)
}

function buildUser(name: string, env: ConfigEnv, report: Report): Login | undefined {
  const ids = env.login?.(name)
  if (ids === undefined) {
    report.fault(['broker', 'user'], `there is no user ${name}: create it, for instance with useradd --system ${name}`)
    return undefined
  }
  if (env.uid !== 0 && env.uid !== ids.uid)
    report.warn(
      ['broker', 'user'],
      `only root can become ${name}, and this is uid ${env.uid}; start the broker as root`,
    )
  return { name, ...ids }
}
