// What the broker needs of root once its sockets are bound, feature by feature: each row says when and why.

import type { Condition, Rule } from '../../core/types.ts'
import { formatAddress } from '../../protocol/address.ts'
import type { Capability } from '../../sys/index.ts'
import type { Config, NameModel } from './model.ts'

export interface Need {
  capability: Capability
  reasons: string[]
}

/** `[name, why]`; rows without a name are the broker's own. */
type Reason = readonly [name: string, why: string]

interface Row {
  capability: Capability
  reasons(config: Config, unprivilegedPort: number): Reason[]
}

/** setsockopt(2) calls that ask for CAP_NET_ADMIN: SO_PRIORITY above 6, SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_MARK, IP(V6)_TRANSPARENT. */
const ADMIN_SOCKOPTS: ReadonlySet<string> = new Set(['1/12', '1/32', '1/33', '1/36', '0/19', '41/75'])

/** SO_REUSEADDR, SO_REUSEPORT. */
const SHARING_SOCKOPTS: ReadonlySet<string> = new Set(['1/2', '1/15'])

const ROWS: readonly Row[] = [
  {
    capability: 'CAP_CHOWN',
    reasons: (config) => [
      ...namesWhere(config, isAnchored, 'a port’s socket and its anchor belong to a user of their own'),
      ...namesWhere(config, hasOwner, 'socket_user, socket_group: the path of a replaced socket'),
    ],
  },
  {
    capability: 'CAP_DAC_READ_SEARCH',
    reasons: (config) =>
      namesWhere(config, isExclusive, 'exclusive: finds processes that keep the socket without a lease'),
  },
  {
    capability: 'CAP_KILL',
    reasons: (config) =>
      namesWhere(config, (model) => isForOthers(model, config), 'tells process-bound holders of other users by signal'),
  },
  {
    capability: 'CAP_NET_BIND_SERVICE',
    reasons: (config, unprivilegedPort) =>
      [...config.names.values()].flatMap(({ core, addresses }) =>
        addresses
          .filter((address) => 'port' in address && address.type !== 'vsock')
          .filter((address) => 'port' in address && address.port > 0 && address.port < unprivilegedPort)
          .map((address): Reason => [core.name, `binds ${formatAddress(address)} again`]),
      ),
  },
  {
    capability: 'CAP_NET_ADMIN',
    reasons: (config) => namesWhere(config, setsAdminOption, 'transparent, mark, priority or a raw option'),
  },
  {
    capability: 'CAP_SYS_PTRACE',
    reasons: (config) => [
      ...rulesWith(config, 'exe').map((where): Reason => [where, 'exe: rules: reads what other users run']),
      ...namesWhere(config, isExclusive, 'exclusive: finds processes that keep the socket without a lease'),
    ],
  },
]

/** Every capability that this configuration needs, with the names that need it. */
export function capabilityNeeds(config: Config, unprivilegedPort: number): Need[] {
  return ROWS.map(({ capability, reasons }) => ({
    capability,
    reasons: grouped(reasons(config, unprivilegedPort)),
  })).filter(({ reasons }) => reasons.length > 0)
}

/** `web, api: why` */
function grouped(reasons: readonly Reason[]): string[] {
  const names = new Map<string, string[]>()
  for (const [name, why] of reasons) names.set(why, [...(names.get(why) ?? []), name])
  return [...names].map(([why, who]) => `${shortened([...new Set(who)])}: ${why}`)
}

const SHOWN = 5

function shortened(names: readonly string[]): string {
  const rest = names.length - SHOWN
  return rest > 0 ? `${names.slice(0, SHOWN).join(', ')} and ${rest} more` : names.join(', ')
}

function namesWhere(config: Config, holds: (model: NameModel) => boolean, why: string): Reason[] {
  return [...config.names.values()].filter(holds).map(({ core }) => [core.name, why])
}

const isExclusive = ({ core }: NameModel) => core.mode === 'exclusive'
const isAnchored = ({ addresses, options }: NameModel) =>
  addresses.some(({ type }) => type === 'tcp' || (type === 'udp' && !sharesPort(options)))
const hasOwner = ({ options }: NameModel) => options.socketUser !== undefined || options.socketGroup !== undefined

/** A UDP port that others share has no anchor. */
function sharesPort({ reusePort, sockopt = [] }: NameModel['options']): boolean {
  return reusePort === true || sockopt.some(({ level, name }) => SHARING_SOCKOPTS.has(`${level}/${name}`))
}

function isForOthers({ core }: NameModel, { broker }: Config): boolean {
  const own = (condition: Condition) => condition.kind === 'user' && condition.uid === broker.user?.uid
  return core.rules.some((rule) => !rule.some(own))
}

function setsAdminOption({ options }: NameModel): boolean {
  const { transparent, mark, priority = 0, sockopt = [] } = options
  return (
    transparent === true ||
    mark !== undefined ||
    priority > 6 ||
    sockopt.some(({ level, name }) => ADMIN_SOCKOPTS.has(`${level}/${name}`))
  )
}

function rulesWith({ broker, names }: Config, kind: Condition['kind']): string[] {
  const has = (rules: readonly Rule[]) => rules.some((rule) => rule.some((condition) => condition.kind === kind))
  return [
    ...(has(broker.admins) ? ['admins'] : []),
    ...(has(broker.viewers) ? ['viewers'] : []),
    ...[...names.values()].filter(({ core }) => has(core.rules)).map(({ core }) => core.name),
  ]
}
