// Which addresses the kernel would refuse to bind beside one another.

import { posix } from 'node:path'
import type { Address } from '../../protocol/address.ts'

/** An address and what decides which others it excludes. */
export interface Claim {
  address: Address
  /** IPV6_V6ONLY. */
  ipv6Only: boolean
  /** SO_BINDTODEVICE: sockets of two devices never meet. */
  device?: string | undefined
}

/** Only claims with the same slot can overlap; undefined never does (port 0 is a fresh port each time). */
export function slot({ address }: Claim): string | undefined {
  if ('port' in address) return address.port === 0 ? undefined : `${address.type}:${address.port}`
  // The kernel keeps abstract names per socket type; a path is one file, whatever the type.
  if (address.path.startsWith('@')) return `${address.type}:${address.path}`
  return `path:${posix.normalize(address.path)}`
}

/** Each claim that an earlier one excludes, with the first that does. */
export function* overlaps<Each extends Claim>(claims: readonly Each[]): Generator<[Each, Each]> {
  const slots = new Map<string, Each[]>()
  for (const claim of claims) {
    const name = slot(claim)
    if (name === undefined) continue
    const earlier = slots.get(name) ?? []
    const other = earlier.find((candidate) => overlap(candidate, claim))
    if (other !== undefined) yield [claim, other]
    earlier.push(claim)
    slots.set(name, earlier)
  }
}

/** Whether two claims of one slot exclude each other. */
export function overlap(a: Claim, b: Claim): boolean {
  if (a.address.type === 'vsock' && b.address.type === 'vsock')
    return a.address.cid === 'any' || b.address.cid === 'any' || a.address.cid === b.address.cid
  if (!('family' in a.address) || !('family' in b.address)) return true
  if (a.device !== undefined && b.device !== undefined && a.device !== b.device) return false
  if (a.address.family === b.address.family) return sameFamily(a.address, b.address)
  return a.address.family === 6 ? dualStack(a, b.address) : dualStack(b, a.address)
}

type Inet = Extract<Address, { family: number }>

const isWildcard = ({ host, family }: Inet): boolean => (family === 4 ? host === '0.0.0.0' : canonical(host) === '::')

function sameFamily(a: Inet, b: Inet): boolean {
  if (isWildcard(a) || isWildcard(b)) return true
  return canonical(a.host) === canonical(b.host) && (a.zone ?? '') === (b.zone ?? '')
}

/** An IPv6 socket takes IPv4 too when it is `[::]`, or an IPv4 address in IPv6 clothes, and not V6ONLY. */
function dualStack(six: Claim, four: Inet): boolean {
  if (six.ipv6Only) return false
  const host = canonical((six.address as Inet).host)
  if (host === '::') return true
  const mapped = canonical(`::ffff:${four.host}`)
  return host === mapped || host === '::ffff:0:0' || (isWildcard(four) && host.startsWith('::ffff:'))
}

/** The shortest form of RFC 5952, so that one address is one text. */
function canonical(host: string): string {
  return host.includes(':') ? new URL(`http://[${host}]/`).hostname.slice(1, -1) : host
}
