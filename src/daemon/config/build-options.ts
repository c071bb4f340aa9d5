import type { Address, SocketType } from '../../protocol/address.ts'
import { type SocketOptionKey, type SocketOptions, socketOptionApplies } from '../../protocol/socket-options.ts'
import type { ConfigEnv } from './config-env.ts'
import type { Values } from './key.ts'
import type { KeyPath } from './key-path.ts'
import { OPTION_KEYS } from './option-keys.ts'
import type { Table } from './read-table.ts'
import type { Report } from './report.ts'

export const SOCKET_TYPES: readonly SocketType[] = ['tcp', 'udp', 'unix', 'unix-dgram', 'unix-seqpacket', 'vsock']

type OptionValues = Values<typeof OPTION_KEYS>

type CamelCase<Text extends string> = Text extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Text

/** The values under their names in the model; this is what makes the compiler compare them with SocketOptions. */
type Renamed = {
  [Key in Exclude<keyof OptionValues, 'backlog' | 'socket_user' | 'socket_group'> as CamelCase<Key>]?: NonNullable<
    OptionValues[Key]
  >
}

/** `bind_ipv6_only` → `bindIpv6Only`. */
function camelCase(key: string): string {
  return key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** The socket types that can take an option. */
export function typesFor(key: string): SocketType[] {
  return SOCKET_TYPES.filter((type) => socketOptionApplies(camelCase(key) as SocketOptionKey | 'backlog', type))
}

/** Of the file that a path is; a name in the abstract namespace is none. */
const FILE_OPTIONS: readonly string[] = ['socket_user', 'socket_group', 'socket_mode', 'directory_mode']

const isAbstract = (address: Address): boolean => 'path' in address && address.path.startsWith('@')

/** An option must be of use to one of the name's sockets; the others are bound without it. */
export function checkApplies(table: Table, addresses: readonly Address[], path: KeyPath, report: Report): void {
  const own = [...new Set(addresses.map((address) => address.type))]
  if (own.length === 0) return
  for (const key of Object.keys(table)) {
    if (!Object.hasOwn(OPTION_KEYS, key)) continue
    const able = typesFor(key)
    const takers = addresses.filter(({ type }) => able.includes(type))
    if (takers.length > 0 && FILE_OPTIONS.includes(key) && takers.every(isAbstract))
      report.fault([...path, key], 'an abstract name is no file and cannot take it, only a path can; remove it')
    if (takers.length > 0) continue
    const whose = own.length === 1 ? `a ${own[0]} socket` : `sockets of the types ${own.join(', ')}`
    report.fault([...path, key], `${whose} cannot take it, only ${able.join(', ')} can; remove it`)
  }
}

/** The options that were given or have a default, and that one of the name's sockets can take. */
export function buildOptions(
  values: OptionValues,
  addresses: readonly Address[],
  path: KeyPath,
  env: ConfigEnv,
  report: Report,
): SocketOptions {
  const options: Renamed = Object.fromEntries(
    Object.keys(OPTION_KEYS)
      .filter((key) => !RESOLVED.includes(key) && values[key as keyof OptionValues] !== undefined)
      .filter((key) => addresses.some(({ type }) => typesFor(key).includes(type)))
      .map((key) => [camelCase(key), values[key as keyof OptionValues]]),
  )
  const { tcpCongestion } = options
  if (tcpCongestion !== undefined) checkCongestion(tcpCongestion, [...path, 'tcp_congestion'], env, report)
  const user = resolve('user', values.socket_user, [...path, 'socket_user'], env, report)
  const group = resolve('group', values.socket_group, [...path, 'socket_group'], env, report)
  return {
    ...options,
    ...(user !== undefined && { socketUser: user }),
    ...(group !== undefined && { socketGroup: group }),
  }
}

function checkCongestion(name: string, path: KeyPath, env: ConfigEnv, report: Report): void {
  const { available, loadable } = env.congestionControls?.() ?? {}
  if (available === undefined || available.includes(name) || loadable?.includes(name)) return
  report.fault(path, `this kernel has no congestion control "${name}"; write one of ${available.join(', ')}`)
}

/** Keys whose values become something else in the model. */
const RESOLVED = ['backlog', 'socket_user', 'socket_group']

function resolve(
  type: 'user' | 'group',
  name: string | undefined,
  path: KeyPath,
  env: ConfigEnv,
  report: Report,
): number | undefined {
  if (name === undefined) return undefined
  if (/^\d+$/.test(name)) {
    // (uid_t) -1 means "leave it" to chown(2).
    if (Number(name) < 0xffff_ffff) return Number(name)
    report.fault(path, `${name} is no ${type} id; write one below 4294967295`)
    return undefined
  }
  const id = env.accounts[type](name)
  if (id === undefined) report.fault(path, `no ${type} "${name}" on this host; create it, or write a number`)
  return id
}
