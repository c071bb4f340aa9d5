import type { Address } from '../../protocol/address.ts'
import { type SocketOptionKey, type SocketOptions, socketOptionApplies } from '../../protocol/socket-options.ts'
import { isIpv6Only } from './ipv6-only.ts'
import type { NameModel } from './model.ts'

/** The options that one socket of a name is bound with: those its type takes, with V6ONLY settled by its siblings. */
export function optionsFor({ options, addresses, nonBlocking }: NameModel, address: Address): SocketOptions {
  const ipv6Only = isIpv6Only(address, addresses, options.bindIpv6Only ?? 'both')
  const all: SocketOptions = {
    ...options,
    ...(ipv6Only && { bindIpv6Only: 'ipv6-only' }),
    ...(nonBlocking !== undefined && { nonBlocking }),
  }
  const own = Object.entries(all).filter(([key]) => socketOptionApplies(key as SocketOptionKey, address.type))
  return Object.fromEntries(own)
}
