export interface InetAddress {
  type: 'tcp' | 'udp'
  /** Canonical: dotted quad, or RFC 5952. */
  host: string
  port: number
  family: 4 | 6
  /** An interface, for link-local IPv6. */
  zone?: string
}

export interface UnixAddress {
  type: 'unix' | 'unix-dgram' | 'unix-seqpacket'
  /** Absolute, or `@name` in the abstract namespace. */
  path: string
}

export interface VsockAddress {
  type: 'vsock'
  cid: number | 'any'
  port: number
}

export type Address = InetAddress | UnixAddress | VsockAddress
export type SocketType = Address['type']

export type MetricsAddress = (InetAddress & { type: 'tcp' }) | (UnixAddress & { type: 'unix' })

/** sun_path is 108 bytes, of which a path needs one for its NUL and an abstract name one for its leading NUL. */
export const UNIX_PATH_LIMIT = 107
const PORT_LIMIT = 65535
/** The greatest 32-bit number is VMADDR_PORT_ANY. */
const VSOCK_PORT_LIMIT = 0xffff_fffe
const CID_LIMIT = 0xffff_fffe
/** IFNAMSIZ, less the NUL. */
const ZONE_LIMIT = 15

function refuse(text: string, why: string, form: string): never {
  throw new Error(`address ${JSON.stringify(text)}: ${why}; write it as ${form}`)
}

function parseNumber(text: string, most: number): number | undefined {
  if (!/^(0|[1-9]\d{0,9})$/.test(text)) return undefined
  const number = Number(text)
  return number <= most ? number : undefined
}

export function parseIpv4(text: string): number[] | undefined {
  const parts = text.split('.').map((part) => parseNumber(part, 255))
  return parts.length === 4 && parts.every((part) => part !== undefined) ? parts : undefined
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const last = parts.at(-1)!
  const tail = last.includes('.') ? parseIpv4(last) : undefined
  if (last.includes('.') && !tail) return undefined
  const groups = tail ? parts.slice(0, -1) : parts
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  const numbers = groups.map((group) => Number.parseInt(group, 16))
  return tail ? [...numbers, tail[0]! * 256 + tail[1]!, tail[2]! * 256 + tail[3]!] : numbers
}

/** The eight 16-bit groups of an IPv6 address, or undefined. */
export function parseIpv6(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const groups = halves.map(parseGroups)
  const [front, back] = groups
  if (!front || (halves.length === 2 && !back)) return undefined
  if (halves.length === 1) return front.length === 8 ? front : undefined
  // In front of `::` no dotted quad can stand: it is always the address's end.
  if (halves[0]!.includes('.')) return undefined
  const zeros = 8 - front.length - back!.length
  return zeros >= 1 ? [...front, ...Array<number>(zeros).fill(0), ...back!] : undefined
}

/** RFC 5952: the first of the longest runs of two or more zero groups becomes `::`. */
export function formatIpv6(groups: readonly number[]): string {
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${groups
      .slice(6)
      .map((group) => `${group >> 8}.${group & 255}`)
      .join('.')}`
  }
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const words = groups.map((group) => group.toString(16))
  if (best.start < 0) return words.join(':')
  return `${words.slice(0, best.start).join(':')}::${words.slice(best.start + best.length).join(':')}`
}

function parseInet(type: InetAddress['type'], text: string, rest: string): InetAddress {
  const form = `${type}://127.0.0.1:8080 or ${type}://[::1]:8080`
  const [, six, four, portText] =
    /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(rest) ?? refuse(text, 'no host and port', form)
  const port = parseNumber(portText!, PORT_LIMIT) ?? refuse(text, `the port is a number from 0 to ${PORT_LIMIT}`, form)
  if (six === undefined) {
    const quad = parseIpv4(four!)
    if (!quad)
      refuse(
        text,
        `${JSON.stringify(four)} is no IP address (a host name may mean several: write the IP address)`,
        form,
      )
    return { type, host: quad.join('.'), port, family: 4 }
  }
  const [host = '', zone, more] = six.split('%')
  const groups = parseIpv6(host)
  if (!groups) refuse(text, `${JSON.stringify(host)} is no IPv6 address`, form)
  const address: InetAddress = { type, host: formatIpv6(groups), port, family: 6 }
  if (zone === undefined) return address
  if (more !== undefined || zone.length > ZONE_LIMIT || !/^[^\s/%:]+$/.test(zone)) {
    refuse(text, 'the zone is the name of an interface', `${type}://[fe80::1%eth0]:8080`)
  }
  return { ...address, zone }
}

function parseUnix(type: UnixAddress['type'], text: string, path: string): UnixAddress {
  const form = `${type}:///run/name.sock or ${type}://@name`
  if (!path.startsWith('/') && !path.startsWith('@')) refuse(text, 'the path is not absolute', form)
  if (path === '/' || path === '@' || path.endsWith('/')) refuse(text, 'the name is missing', form)
  if (path.includes('\0')) refuse(text, 'a NUL ends a path early', form)
  const length = new TextEncoder().encode(path).length
  if (length > UNIX_PATH_LIMIT) refuse(text, `the path has ${length} bytes and ${UNIX_PATH_LIMIT} are the most`, form)
  return { type, path }
}

function parseVsock(text: string, rest: string): VsockAddress {
  const form = 'vsock://any:1234 or vsock://2:1234'
  const [, cidText, portText] = /^([^:]*):([^:]*)$/.exec(rest) ?? refuse(text, 'no context id and port', form)
  const cid = cidText === 'any' ? 'any' : parseNumber(cidText!, CID_LIMIT)
  if (cid === undefined) refuse(text, 'the context id is a number or `any`', form)
  const port = parseNumber(portText!, VSOCK_PORT_LIMIT)
  if (port === undefined) refuse(text, `the port is a number from 0 to ${VSOCK_PORT_LIMIT}`, form)
  return { type: 'vsock', cid, port }
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback({ host }: InetAddress): boolean {
  return host.startsWith('127.') || host === '::1'
}

/** IPv6 of link-local scope, multicast too, without the interface that the kernel asks for (net/ipv6/af_inet6.c, __inet6_bind). */
export function needsZone(address: Address): boolean {
  if (!('family' in address) || address.family !== 6 || address.zone !== undefined) return false
  const [first = 0] = parseIpv6(address.host) ?? []
  return (first & 0xffc0) === 0xfe80 || (first & 0xff0f) === 0xff01 || (first & 0xff0f) === 0xff02
}

/** Port 0 means that the kernel picks one. Throws an Error that says what is wrong and how it should look. */
export function parseAddress(text: string): Address {
  const [, type, rest = ''] = /^([a-z-]+):\/\/(.*)$/s.exec(text) ?? []
  switch (type) {
    case 'tcp':
    case 'udp':
      return parseInet(type, text, rest)
    case 'unix':
    case 'unix-dgram':
    case 'unix-seqpacket':
      return parseUnix(type, text, rest)
    case 'vsock':
      return parseVsock(text, rest)
    default:
      return refuse(
        text,
        'the type is missing or unknown',
        'tcp:// udp:// unix:// unix-dgram:// unix-seqpacket:// or vsock://',
      )
  }
}

/** The inverse of parseAddress: the configuration's own syntax. */
export function formatAddress(address: Address): string {
  switch (address.type) {
    case 'tcp':
    case 'udp': {
      const zone = address.zone === undefined ? '' : `%${address.zone}`
      const host = address.family === 6 ? `[${address.host}${zone}]` : address.host
      return `${address.type}://${host}:${address.port}`
    }
    case 'vsock':
      return `vsock://${address.cid}:${address.port}`
    default:
      return `${address.type}://${address.path}`
  }
}
