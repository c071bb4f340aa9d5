// The options of the sockets themselves, under systemd's names (systemd.socket(5)) in snake_case.

import type { RawSocketOption } from '../../protocol/socket-options.ts'
import { key, optional } from './key.ts'
import { type Kind, quote, reader, Wrong } from './kind.ts'
import { account, count, flag, octalMode, oneOf, seconds, size, word } from './kinds.ts'

const INT_MAX = 2_147_483_647
const buffer = { min: 1, max: 2 ** 30 - 1, why: 'the kernel doubles it and counts in 31 bits' }
const kernelSeconds = { min: 1, max: 32_767, why: 'the kernel’s limit, tcp(7)' }

const TOS = { 'low-delay': 0x10, throughput: 0x08, reliability: 0x04, 'low-cost': 0x02 } as const

function typeOfService(): Kind<number> {
  const words = Object.keys(TOS).map((name) => `"${name}"`)
  return {
    type: 'integer, or a word',
    range: `0 to 255 (one byte), ${words.join(', ')}`,
    schema: reader((value) => {
      if (typeof value === 'string' && Object.hasOwn(TOS, value)) return TOS[value as keyof typeof TOS]
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255) return value
      return new Wrong(`${quote(value)} is not a type of service; write 0 to 255, or ${words.join(', ')}`)
    }),
  }
}

const isInt = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= INT_MAX

function fastOpen(): Kind<boolean | number> {
  return {
    type: 'boolean, or integer',
    range: `0 to ${INT_MAX} (the kernel caps it at the backlog)`,
    schema: reader((value) =>
      typeof value === 'boolean' || isInt(value)
        ? value
        : new Wrong(`${quote(value)} is not a queue length; write true, false, or a number from 0`),
    ),
  }
}

function rawOptions(): Kind<RawSocketOption[]> {
  const form = '{ level = 6, name = 18, value = 30000 }'
  return {
    type: 'list of `{ level, name, value }`',
    range: 'at most 64; level and name as in the kernel’s headers, value an integer or a string',
    schema: reader((value) => {
      if (!Array.isArray(value) || value.length > 64) return new Wrong(`is not a list of at most 64; write [${form}]`)
      const options: RawSocketOption[] = []
      for (const [index, item] of value.entries()) {
        const { level, name, value: setting, ...rest } = typeof item === 'object' && item !== null ? item : {}
        const good = isInt(level) && isInt(name) && Object.keys(rest).length === 0
        if (!good || !(typeof setting === 'string' || Number.isInteger(setting)))
          return new Wrong(`entry ${index} is not a raw option; write ${form} with integers of the kernel’s headers`)
        options.push({ level, name, value: typeof setting === 'string' ? new TextEncoder().encode(setting) : setting })
      }
      return options
    }),
  }
}

export const OPTION_KEYS = {
  backlog: key(count({ min: 1, max: INT_MAX, why: 'the kernel caps it at net.core.somaxconn' }), {
    default: '4096',
    example: '1024',
    doc: 'connections that may wait to be accepted; the kernel caps it at net.core.somaxconn',
  }),
  bind_ipv6_only: key(oneOf(['both', 'ipv6-only', 'default']), {
    default: '"both"',
    example: '"ipv6-only"',
    doc: 'whether `[::]` takes IPv4 too (`default`: as net.ipv6.bindv6only says); it never does when the name also lists an IPv4 address of that port',
  }),
  bind_to_device: optional(word('interface', /^[^\s/]{1,15}$/, 'at most 15 characters, as `ip link` shows it'), {
    default: 'all interfaces',
    example: '"eth0"',
    doc: 'take traffic of this interface only',
  }),
  free_bind: optional(flag(), {
    default: 'false',
    example: 'true',
    doc: 'bind addresses that the host does not have yet',
  }),
  transparent: optional(flag(), {
    default: 'false',
    example: 'true',
    doc: 'take traffic for foreign addresses (IP_TRANSPARENT; needs CAP_NET_ADMIN)',
  }),
  reuse_port: optional(flag(), {
    default: 'false',
    example: 'true',
    doc: 'SO_REUSEPORT, so that other programs of the broker’s user may share the port; without it nobody may, root included',
  }),
  socket_user: optional(account('user'), {
    default: 'the broker’s user',
    example: '"www-data"',
    doc: 'owner of the socket file',
  }),
  socket_group: optional(account('group'), {
    default: 'the broker’s group',
    example: '"www-data"',
    doc: 'group of the socket file',
  }),
  socket_mode: key(octalMode(), { default: '"0666"', example: '"0660"', doc: 'mode of the socket file' }),
  directory_mode: key(octalMode(), {
    default: '"0755"',
    example: '"0750"',
    doc: 'mode of the directories that are made for the socket file',
  }),
  keep_alive: optional(flag(), { default: 'false', example: 'true', doc: 'probe idle connections (SO_KEEPALIVE)' }),
  keep_alive_time: optional(seconds(kernelSeconds), {
    default: 'net.ipv4.tcp_keepalive_time',
    example: '"60s"',
    doc: 'idle time before the first probe',
  }),
  keep_alive_interval: optional(seconds(kernelSeconds), {
    default: 'net.ipv4.tcp_keepalive_intvl',
    example: '"10s"',
    doc: 'time between probes',
  }),
  keep_alive_probes: optional(count({ min: 1, max: 127, why: 'the kernel’s limit, tcp(7)' }), {
    default: 'net.ipv4.tcp_keepalive_probes',
    example: '5',
    doc: 'unanswered probes that end a connection',
  }),
  no_delay: optional(flag(), { default: 'false', example: 'true', doc: 'send small segments at once (TCP_NODELAY)' }),
  defer_accept: optional(seconds(kernelSeconds), {
    default: 'off',
    example: '"5s"',
    doc: 'hand a connection over when its first data arrives; not for protocols where the server speaks first',
  }),
  priority: optional(count({ min: 0, max: INT_MAX, why: 'above 6 needs CAP_NET_ADMIN' }), {
    default: '0',
    example: '6',
    doc: 'queueing priority of outgoing packets (SO_PRIORITY); without it, the one that goes with `ip_tos`',
  }),
  receive_buffer: optional(size(buffer), {
    default: 'the kernel’s',
    example: '"256K"',
    doc: 'receive buffer (SO_RCVBUF)',
  }),
  send_buffer: optional(size(buffer), { default: 'the kernel’s', example: '"1M"', doc: 'send buffer (SO_SNDBUF)' }),
  ip_tos: optional(typeOfService(), {
    default: '0',
    example: '"low-delay"',
    doc: 'type of service of outgoing packets',
  }),
  ip_ttl: optional(count({ min: 1, max: 255, why: 'one byte' }), {
    default: 'net.ipv4.ip_default_ttl',
    example: '64',
    doc: 'time to live of outgoing packets',
  }),
  mark: optional(count({ min: 0, max: 4_294_967_295, why: '32 bits' }), {
    default: '0',
    example: '42',
    doc: 'mark for routing and firewall rules (SO_MARK; needs CAP_NET_ADMIN)',
  }),
  tcp_congestion: optional(
    word('congestion control', /^[a-z0-9_-]{1,15}$/, 'one of net.ipv4.tcp_available_congestion_control'),
    {
      default: 'net.ipv4.tcp_congestion_control',
      example: '"bbr"',
      doc: 'congestion control of the connections',
    },
  ),
  tcp_fast_open: optional(fastOpen(), {
    default: 'off',
    example: '256',
    doc: 'accept data with the SYN (TCP Fast Open); a number is how many such requests may be pending. Needs bit 2 of net.ipv4.tcp_fastopen',
  }),
  broadcast: optional(flag(), {
    default: 'false',
    example: 'true',
    doc: 'allow broadcast datagrams; without it, the guard sets back what a holder turns on',
  }),
  pass_credentials: optional(flag(), {
    default: 'false',
    example: 'true',
    doc: 'attach the sender’s credentials to messages (SO_PASSCRED)',
  }),
  pass_security: optional(flag(), {
    default: 'false',
    example: 'true',
    doc: 'attach the sender’s security context to messages (SO_PASSSEC)',
  }),
  pass_packet_info: optional(flag(), {
    default: 'false',
    example: 'true',
    doc: 'attach the destination address to datagrams (IP_PKTINFO)',
  }),
  timestamping: optional(oneOf(['off', 'us', 'ns']), {
    default: '"off"',
    example: '"us"',
    doc: 'attach the time of arrival to messages, in micro- or nanoseconds',
  }),
  sockopt: optional(rawOptions(), {
    default: '[]',
    example: '[{ level = 6, name = 18, value = 30000 }]',
    doc: 'raw setsockopt(2) calls before bind; the guard does not watch them',
  }),
}
