import { readFileSync } from 'node:fs'
import type { Address } from '../protocol/address.ts'
import { type SocketOptionKey, type SocketOptions, socketOptionApplies } from '../protocol/socket-options.ts'
import { addon, constants as c } from './addon.ts'
import { availableCongestionControls } from './congestion-controls.ts'
import { setInt } from './sockopt.ts'
import { check, SystemError } from './system-error.ts'

interface Target {
  fd: number
  family: 4 | 6 | undefined
}

type Value<K extends SocketOptionKey> = NonNullable<SocketOptions[K]>
type Stage = 'before bind' | 'after bind'

interface Row {
  key: SocketOptionKey
  stage: Stage
  set(target: Target, value: never): void
}

function row<K extends SocketOptionKey>(
  key: K,
  set: (target: Target, value: Value<K>) => void,
  stage: Stage = 'before bind',
): Row {
  return { key, stage, set }
}

/** A number, or a flag as 0 and 1. */
function plain(level: number, name: number) {
  return ({ fd }: Target, value: number | boolean) => setInt(fd, level, name, Number(value))
}

/** IPv4's option, and for an IPv6 socket its own first: with both, what a dual-stack socket does for IPv4 follows. */
function either(ipv4: number, ipv6: number) {
  return ({ fd, family }: Target, value: number | boolean) => {
    if (family === 6) setInt(fd, c.IPPROTO_IPV6, ipv6, Number(value))
    const result = addon.setsockopt(fd, c.IPPROTO_IP, ipv4, Number(value))
    if (family !== 6) check(result, 'setsockopt')
  }
}

function text(level: number, name: number) {
  return ({ fd }: Target, value: string) => {
    check(addon.setsockopt(fd, level, name, Buffer.from(value)), 'setsockopt')
  }
}

/** The forced option goes beyond net.core.[rw]mem_max, with CAP_NET_ADMIN. */
function buffer(forced: number, name: number) {
  return ({ fd }: Target, bytes: number) => {
    if (addon.setsockopt(fd, c.SOL_SOCKET, forced, bytes) < 0) setInt(fd, c.SOL_SOCKET, name, bytes)
  }
}

function isIpv6Only(value: Value<'bindIpv6Only'>): boolean {
  if (value !== 'default') return value === 'ipv6-only'
  return readFileSync('/proc/sys/net/ipv6/bindv6only', 'utf8').trim() === '1'
}

const socket = (name: number) => plain(c.SOL_SOCKET, name)
const tcp = (name: number) => plain(c.IPPROTO_TCP, name)

/** How each option is set. Owner and modes belong to the path, not to the socket, and are set with it. */
const rows: readonly Row[] = [
  row('bindIpv6Only', ({ fd, family }, value) => {
    if (family === 6) setInt(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, Number(isIpv6Only(value)))
  }),
  row('bindToDevice', text(c.SOL_SOCKET, c.SO_BINDTODEVICE)),
  row('freeBind', either(c.IP_FREEBIND, c.IPV6_FREEBIND)),
  row('transparent', either(c.IP_TRANSPARENT, c.IPV6_TRANSPARENT)),
  row('reusePort', socket(c.SO_REUSEPORT)),
  row('keepAlive', socket(c.SO_KEEPALIVE)),
  row('keepAliveTime', tcp(c.TCP_KEEPIDLE)),
  row('keepAliveInterval', tcp(c.TCP_KEEPINTVL)),
  row('keepAliveProbes', tcp(c.TCP_KEEPCNT)),
  row('noDelay', tcp(c.TCP_NODELAY)),
  row('receiveBuffer', buffer(c.SO_RCVBUFFORCE, c.SO_RCVBUF)),
  row('sendBuffer', buffer(c.SO_SNDBUFFORCE, c.SO_SNDBUF)),
  row('ipTos', either(c.IP_TOS, c.IPV6_TCLASS)),
  // After IP_TOS, which sets the priority that goes with it (net/ipv4/ip_sockglue.c, __ip_sock_set_tos).
  row('priority', socket(c.SO_PRIORITY)),
  row('ipTtl', either(c.IP_TTL, c.IPV6_UNICAST_HOPS)),
  row('mark', socket(c.SO_MARK)),
  row('tcpCongestion', text(c.IPPROTO_TCP, c.TCP_CONGESTION)),
  row('broadcast', socket(c.SO_BROADCAST)),
  row('passCredentials', socket(c.SO_PASSCRED)),
  row('passSecurity', socket(c.SO_PASSSEC)),
  row('passPacketInfo', either(c.IP_PKTINFO, c.IPV6_RECVPKTINFO)),
  row('timestamping', ({ fd }, value) => {
    setInt(fd, c.SOL_SOCKET, value === 'ns' ? c.SO_TIMESTAMPNS : c.SO_TIMESTAMP, Number(value !== 'off'))
  }),
  row('sockopt', ({ fd }, options) => {
    for (const { level, name, value } of options) {
      const result = addon.setsockopt(fd, level, name, value)
      if (result < 0) throw new SystemError(-result, `setsockopt level ${level} name ${name}`)
    }
  }),
  row('deferAccept', tcp(c.TCP_DEFER_ACCEPT), 'after bind'),
  row(
    'tcpFastOpen',
    ({ fd }, value) => setInt(fd, c.IPPROTO_TCP, c.TCP_FASTOPEN, value === true ? 4096 : Number(value)),
    'after bind',
  ),
  row('nonBlocking', ({ fd }, value) => void check(addon.setNonblock(fd, value ? 1 : 0), 'fcntl'), 'after bind'),
]

/** `bindToDevice` is `bind_to_device` where people write it. */
function configKey(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** A refused option; the error names it as the config does. */
function withOption(key: string, error: unknown): unknown {
  if (!(error instanceof SystemError)) return error
  const there = key === 'tcpCongestion' ? availableCongestionControls() : undefined
  const choice = there === undefined ? '' : `; this kernel has ${there.join(', ')}`
  return new SystemError(error.errno, error.syscall, `option ${configKey(key)}: ${error.message}${choice}`)
}

export function requireApplicable(options: SocketOptions, address: Address): void {
  for (const [key, value] of Object.entries(options)) {
    if (value !== undefined && !socketOptionApplies(key as SocketOptionKey, address.type)) {
      throw new Error(`option ${configKey(key)} does not apply to ${address.type}`)
    }
  }
}

export function setSocketOptions(fd: number, address: Address, options: SocketOptions, stage: Stage): void {
  const target: Target = { fd, family: 'family' in address ? address.family : undefined }
  for (const { key, set, stage: when } of rows) {
    const value = options[key]
    if (when !== stage || value === undefined) continue
    try {
      set(target, value as never)
    } catch (error) {
      throw withOption(key, error)
    }
  }
}
