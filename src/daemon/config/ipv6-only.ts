import type { Address } from '../../protocol/address.ts'

/**
 * Whether IPV6_V6ONLY is set on the socket of an IPv6 address: a name that also lists an IPv4 address of that port
 * wants both sockets, and `[::]` without V6ONLY would make the second bind fail with EADDRINUSE.
 */
export function isIpv6Only(
  address: Address,
  siblings: readonly Address[],
  setting: 'default' | 'both' | 'ipv6-only',
): boolean {
  if (!('family' in address) || address.family !== 6) return false
  if (setting === 'ipv6-only') return true
  return siblings.some(
    (other) => 'family' in other && other.family === 4 && other.type === address.type && other.port === address.port,
  )
}
