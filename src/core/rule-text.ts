// The text of a rule, as it stands in the config: "user:app exe:/usr/bin/node".

import { levenshtein } from '../protocol/levenshtein.ts'
import { isWithin } from './policy.ts'
import type { Condition, Rule } from './types.ts'

export interface Accounts {
  user(name: string): number | undefined
  group(name: string): number | undefined
  /** Whether this id stands for every user or group that this user namespace does not know (user_namespaces(7)). */
  isOverflow?(kind: 'user' | 'group', id: number): boolean
}

export interface Fault {
  fault: string
}

/** 2^32 - 1 is the kernel's "no id". */
const ID_MAX = 0xffff_fffe

type Parse = (value: string, accounts: Accounts) => Condition | Fault

const CONDITIONS: Record<Exclude<Condition['kind'], 'any'>, Parse> = {
  user(value, accounts) {
    const uid = idOf(value, accounts.user)
    if (uid === undefined) return { fault: `there is no user ${value}: create it, or name a uid` }
    return accounts.isOverflow?.('user', uid) ? { fault: unknownHere('user', uid) } : { kind: 'user', uid }
  },
  group(value, accounts) {
    const gid = idOf(value, accounts.group)
    if (gid === undefined) return { fault: `there is no group ${value}: create it, or name a gid` }
    return accounts.isOverflow?.('group', gid) ? { fault: unknownHere('group', gid) } : { kind: 'group', gid }
  },
  exe: (path) =>
    path.startsWith('/')
      ? { kind: 'exe', path }
      : { fault: `exe:${path} must be an absolute path, such as exe:/usr/bin/node` },
  unit: (unit) => ({ kind: 'unit', unit }),
  cgroup: (prefix) =>
    prefix.startsWith('/')
      ? { kind: 'cgroup', prefix }
      : { fault: `cgroup:${prefix} must begin with /, such as cgroup:/system.slice` },
  token: (name) => ({ kind: 'token', name }),
}

function unknownHere(kind: 'user' | 'group', id: number): string {
  return `${kind}:${id} would hold for everyone that this user namespace does not know: name another ${kind}, or use any`
}

const KINDS = [...Object.keys(CONDITIONS), 'any']

export function parseRule(text: string, accounts: Accounts): Rule | Fault {
  const words = text.split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) return { fault: 'the rule is empty: name a condition, such as user:www-data or any' }
  if (words.includes('any')) {
    return words.length === 1
      ? [{ kind: 'any' }]
      : { fault: '"any" must stand alone: it allows everyone, remove it or the rest' }
  }
  const rule: Condition[] = []
  for (const word of words) {
    const parsed = parseCondition(word, accounts)
    if ('fault' in parsed) return parsed
    rule.push(parsed)
  }
  const never = contradiction(rule)
  if (never === undefined) return rule
  const both = never.map((condition) => formatCondition(condition)).join(' and ')
  return { fault: `${both} never hold together, so the rule allows nobody: make two rules of them` }
}

/** Whether a peer that one of two conditions holds for, both of this kind, can be one that the other holds for. */
const TOGETHER: { readonly [Kind in Condition['kind']]?: (a: string, b: string) => boolean } = {
  user: (a, b) => a === b,
  exe: (a, b) => a === b,
  unit: (a, b) => a === b,
  cgroup: (a, b) => isWithin(a, b) || isWithin(b, a),
}

function contradiction(rule: Rule): [Condition, Condition] | undefined {
  for (const [index, condition] of rule.entries()) {
    const together = TOGETHER[condition.kind]
    if (together === undefined) continue
    const earlier = rule.slice(0, index).filter(({ kind }) => kind === condition.kind)
    const other = earlier.find((each) => !together(textOf(each), textOf(condition)))
    if (other !== undefined) return [other, condition]
  }
  return undefined
}

/** What stands behind the colon. */
function textOf(condition: Condition): string {
  return formatCondition(condition).replace(/^[a-z]+:/, '')
}

function parseCondition(word: string, accounts: Accounts): Condition | Fault {
  const colon = word.indexOf(':')
  const kind = colon === -1 ? word : word.slice(0, colon)
  const value = colon === -1 ? '' : word.slice(colon + 1)
  if (!Object.hasOwn(CONDITIONS, kind)) return { fault: `${kind}: is no condition: ${suggestion(kind)}` }
  if (value === '')
    return { fault: `${kind}: needs a value, such as ${kind}:${EXAMPLES[kind as keyof typeof CONDITIONS]}` }
  return CONDITIONS[kind as keyof typeof CONDITIONS](value, accounts)
}

/** The text of a condition; accounts by number, unless `userOf` knows a name. */
export function formatCondition(condition: Condition, userOf: (uid: number) => string = String): string {
  switch (condition.kind) {
    case 'user':
      return `user:${userOf(condition.uid)}`
    case 'group':
      return `group:${condition.gid}`
    case 'exe':
      return `exe:${condition.path}`
    case 'unit':
      return `unit:${condition.unit}`
    case 'cgroup':
      return `cgroup:${condition.prefix}`
    case 'token':
      return `token:${condition.name}`
    case 'any':
      return 'any'
  }
}

const EXAMPLES: Record<keyof typeof CONDITIONS, string> = {
  user: 'www-data',
  group: 'web',
  exe: '/usr/bin/node',
  unit: 'web.service',
  cgroup: '/system.slice',
  token: 'deploy',
}

function idOf(text: string, resolve: (name: string) => number | undefined): number | undefined {
  if (!/^[0-9]+$/.test(text)) return resolve(text)
  const id = Number(text)
  return id <= ID_MAX ? id : undefined
}

function suggestion(kind: string): string {
  const nearest = KINDS.map((known) => ({ known, far: levenshtein(kind, known) })).sort((a, b) => a.far - b.far)[0]!
  return nearest.far <= 2 ? `did you mean "${nearest.known}"?` : `the conditions are ${KINDS.join(', ')}`
}
