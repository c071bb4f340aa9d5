// A port that a name got for port 0 stays its own while the file says port 0: to the kernel it is an address like any other.

import { formatAddress } from '../../protocol/address.ts'
import type { BoundSocket } from '../../sys/index.ts'
import type { Fault } from '../config/fault.ts'
import { isIpv6Only } from '../config/ipv6-only.ts'
import { keyLines } from '../config/key-lines.ts'
import { formatKeyPath, type KeyPath } from '../config/key-path.ts'
import type { Config, NameModel } from '../config/model.ts'
import { type Claim, overlaps } from '../config/overlap.ts'
import { Report } from '../config/report.ts'
import type { Current } from './plan-sockets.ts'

interface ListedClaim extends Claim {
  name: string
  path: KeyPath
  /** As the file has it, where that is port 0. */
  anyPort?: string
}

/** The addresses of a new configuration that overlap a port which another name got and keeps. */
export function portsInUse(current: ReadonlyMap<string, Current>, { file, text, names }: Config): Fault[] {
  const listed = [...names].flatMap(([name, model]) => claimsOf(name, model, current.get(name)))
  // Those that are held come first: the other one is at fault.
  const held = listed.filter(({ anyPort }) => anyPort !== undefined)
  if (held.length === 0) return []
  const lines = keyLines(text)
  const report = new Report(file, lines)
  const keyOf = ({ path }: ListedClaim): KeyPath => (lines.at(path) === undefined ? path.slice(0, -1) : path)
  for (const [claim, other] of overlaps([...held, ...listed.filter(({ anyPort }) => anyPort === undefined)])) {
    if (other.anyPort === undefined) continue
    report.fault(keyOf(claim), message(claim, other, report))
  }
  return report.faults
}

function message(claim: ListedClaim, other: ListedClaim, report: Report): string {
  const mine = formatAddress(claim.address)
  const theirs = formatAddress(other.address)
  const owner = `${formatKeyPath(['sockets', other.name])}${report.lineOf(other.path)}`
  const what = mine === theirs ? 'is the address' : `overlaps "${theirs}"`
  return `"${mine}" ${what} that ${owner} got for "${other.anyPort}" and keeps; choose another port, or remove that one`
}

function claimsOf(name: string, { addresses, options }: NameModel, now: Current | undefined): ListedClaim[] {
  const sockets = new Map<string, BoundSocket[]>()
  for (const [at, address] of (now?.model.addresses ?? []).entries()) {
    const asListed = formatAddress(address)
    sockets.set(asListed, [...(sockets.get(asListed) ?? []), now!.sockets[at]!])
  }
  return addresses.map((address, index) => {
    const asListed = formatAddress(address)
    // As a reload pairs them: of several that are listed alike, in their order.
    const socket = sockets.get(asListed)?.shift()
    const kept = 'port' in address && address.port === 0 && socket !== undefined && !socket.unbound
    return {
      address: kept ? socket.address : address,
      ...(kept && { anyPort: asListed }),
      ipv6Only: isIpv6Only(address, addresses, options.bindIpv6Only ?? 'both'),
      device: options.bindToDevice,
      name,
      path: ['sockets', name, 'listen', index],
    }
  })
}
