import { type Address, formatAddress } from '../../protocol/address.ts'
import type { KeyPath } from './key-path.ts'
import { formatKeyPath } from './key-path.ts'
import { type Claim, overlaps } from './overlap.ts'
import type { Report } from './report.ts'

/** A claim with the place that makes it. */
export interface PlacedClaim extends Claim {
  /** The table of the name: ['sockets', 'web']. */
  owner: KeyPath
  /** The key that lists the address. */
  path: KeyPath
}

/** Reports every address that an earlier one excludes, naming both. */
export function checkOverlaps(claims: readonly PlacedClaim[], report: Report): void {
  for (const [claim, other] of overlaps(claims)) report.fault(claim.path, message(claim, other, report))
}

function message(claim: PlacedClaim, other: PlacedClaim, report: Report): string {
  const mine = formatAddress(claim.address)
  const theirs = formatAddress(other.address)
  const own = formatKeyPath(claim.owner) === formatKeyPath(other.owner)
  const where = `${formatKeyPath(other.owner)}${report.lineOf(other.path)}`
  if (own && mine === theirs) return `"${mine}" is listed twice${report.lineOf(other.path)}; remove one`
  if (own) return `"${mine}" overlaps "${theirs}" of the same name${report.lineOf(other.path)}; remove one`
  const verb = mine === theirs ? `is also an address of ${where}` : `overlaps "${theirs}" of ${where}`
  return `"${mine}" ${verb}; only one can own it: ${remedy(claim.address)}`
}

function remedy(address: Address): string {
  return 'port' in address ? 'remove one, or give one another port' : 'remove one, or give one another path'
}
