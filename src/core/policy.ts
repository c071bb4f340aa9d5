// Who may have a lease. A rule is conditions that must all hold; a list of rules needs one to hold; no rule, no right,
// also not for root.

import type { Condition, Peer, Rule } from './types.ts'

type Kind = Condition['kind']
type Holds = { [K in Kind]: (condition: Extract<Condition, { kind: K }>, peer: Peer) => boolean }

const HOLDS: Holds = {
  user: ({ uid }, peer) => peer.uid === uid,
  group: ({ gid }, peer) => peer.gid === gid || peer.groups.includes(gid),
  exe: ({ path }, peer) => peer.exe === path,
  unit: ({ unit }, peer) => peer.unit === unit,
  cgroup: ({ prefix }, peer) => peer.cgroup !== undefined && isWithin(peer.cgroup, prefix),
  token: ({ name }, peer) => peer.tokens?.includes(name) ?? false,
  any: () => true,
}

export function mayAcquire(rules: readonly Rule[], peer: Peer): boolean {
  return rules.some((rule) => rule.length > 0 && rule.every((condition) => holds(condition, peer)))
}

/** Of each rule, the conditions that do not hold: any one of these would have been enough. */
export function missingFrom(rules: readonly Rule[], peer: Peer): Rule[] {
  return rules.map((rule) => rule.filter((condition) => !holds(condition, peer)))
}

function holds(condition: Condition, peer: Peer): boolean {
  return (HOLDS[condition.kind] as (condition: Condition, peer: Peer) => boolean)(condition, peer)
}

/** On the boundaries of path components: /a/b is within /a, /ab is not. */
export function isWithin(path: string, prefix: string): boolean {
  const base = prefix.replace(/\/+$/, '')
  return path === base || path.startsWith(`${base}/`)
}

/** What must be read from /proc about a peer before these rules can be judged. */
export function needs(rules: readonly Rule[]): { exe: boolean; cgroup: boolean } {
  const kinds = new Set(rules.flat().map(({ kind }) => kind))
  return { exe: kinds.has('exe'), cgroup: kinds.has('cgroup') || kinds.has('unit') }
}
