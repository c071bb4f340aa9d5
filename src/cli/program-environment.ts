// How a program is told which descriptors are its listening sockets: one row for each convention that programs know.

import type { Lease } from '../client/index.ts'
import { ownPidfdId } from '../sys/index.ts'

/** One socket that is passed, with the number that the program finds it under. */
interface Passed {
  name: string
  address: string
  fd: number
}

interface Convention {
  /** The number of the first socket. */
  first: 0 | 3
  set(passed: readonly Passed[]): Record<string, string>
}

export const CONVENTIONS = {
  /** sd_listen_fds(3) */
  'listen-fds': {
    first: 3,
    set: (passed) => {
      const pidfdId = ownPidfdId()
      return {
        LISTEN_FDS: String(passed.length),
        LISTEN_PID: String(process.pid),
        LISTEN_FDNAMES: passed.map(({ name }) => name).join(':'),
        ...(pidfdId !== undefined && { LISTEN_PIDFDID: String(pidfdId) }),
      }
    },
  },
  /** inetd(8) with `wait`: the listening socket is the standard input. */
  stdin: { first: 0, set: () => ({}) },
  /** What nginx leaves to its own successor (ngx_set_inherited_sockets). */
  nginx: { first: 3, set: (passed) => ({ NGINX: passed.map(({ fd }) => `${fd};`).join('') }) },
  einhorn: {
    first: 3,
    set: (passed) => ({
      EINHORN_FD_COUNT: String(passed.length),
      ...Object.fromEntries(passed.map(({ fd }, at) => [`EINHORN_FD_${at}`, String(fd)])),
    }),
  },
  /** Server::Starter: `host:port=fd`, or `path=fd`. */
  'server-starter': {
    first: 3,
    set: (passed) => ({
      SERVER_STARTER_PORT: passed.map(({ address, fd }) => `${address.replace(/^[a-z-]+:\/\//, '')}=${fd}`).join(';'),
    }),
  },
} as const satisfies Record<string, Convention>

export type ConventionName = keyof typeof CONVENTIONS

/** Those of another supervisor, or of another convention, would mislead the program. */
const FOREIGN =
  /^(LISTEN_(FDS|PID|FDNAMES|PIDFDID)|NOTIFY_SOCKET|WATCHDOG_(USEC|PID)|NGINX|EINHORN_.*|SERVER_STARTER_(PORT|GENERATION))$/

export interface ProgramEnvironment {
  /** `NAME` to remove, `NAME=VALUE` to set. */
  changes: string[]
  first: number
}

export function programEnvironment(
  leases: readonly Lease[],
  as: ConventionName,
  variables: NodeJS.ProcessEnv,
): ProgramEnvironment {
  const { first, set }: Convention = CONVENTIONS[as]
  const sockets = leases.flatMap(({ name, sockets }) => sockets.map(({ address }) => ({ name, address })))
  const wanted = { ...set(sockets.map((socket, at) => ({ ...socket, fd: first + at }))), ...notifying(leases) }
  const foreign = Object.keys(variables).filter((name) => FOREIGN.test(name) && !Object.hasOwn(wanted, name))
  return { first, changes: [...foreign, ...Object.entries(wanted).map(([name, value]) => `${name}=${value}`)] }
}

/** sd_notify(3) and sd_watchdog_enabled(3). The socket is the same for all leases of one connection; the shortest watchdog counts. */
function notifying(leases: readonly Lease[]): Record<string, string> {
  const notify = leases[0]?.grant['notify']
  const watchdogs = leases.flatMap(({ grant: { watchdog } }) => (typeof watchdog === 'number' ? [watchdog] : []))
  return {
    ...(typeof notify === 'string' && { NOTIFY_SOCKET: notify }),
    ...(watchdogs.length > 0 && {
      WATCHDOG_USEC: String(Math.min(...watchdogs) * 1000),
      WATCHDOG_PID: String(process.pid),
    }),
  }
}
