// Protocol version 1: every verb with its arguments, as one table. A new verb is one row here and one handler in the broker.

import {
  GENERATION_MAX,
  HISTORY_MAX,
  LABEL_MAX,
  MILLISECONDS_MAX,
  NAME_MAX,
  SUPPORTED_VERSIONS,
  TOKEN_MAX,
} from './limits.ts'
import { generationFault, nameFault } from './names.ts'
import { quote } from './quote.ts'

export const DRAIN_SIGNALS = ['TERM', 'INT', 'QUIT', 'HUP', 'USR1', 'USR2', 'WINCH'] as const
export type DrainSignal = (typeof DRAIN_SIGNALS)[number]
export const BINDINGS = ['connection', 'process'] as const
export type Binding = (typeof BINDINGS)[number]

export interface Requests {
  hello: { version: number; client?: string; token?: string; leases?: number[] }
  acquire: {
    name: string
    generation?: string
    takeover?: boolean
    wait?: number
    ready?: boolean
    bind?: Binding
    label?: string
    drainSignal?: DrainSignal
    readyAfter?: number
  }
  ready: { lease: number }
  release: { lease: number }
  sockets: { lease: number }
  reclaim: { lease: number; name: string }
  list: Record<never, never>
  /** `undeclared`: also look for processes that have a socket open without a lease. Default true. */
  holders: { name?: string; undeclared?: boolean }
  stats: Record<never, never>
  events: Record<never, never>
  history: { name?: string; limit?: number; since?: number }
  drain: { name?: string; lease?: number; timeout?: number }
  pause: { name: string; drain?: boolean }
  resume: { name: string }
  reload: { dryRun?: boolean }
  upgrade: Record<never, never>
  shutdown: Record<never, never>
}

export type Op = keyof Requests

/** One socket of a grant. `address` is in the config's syntax, `cookie` the kernel's SO_COOKIE as 16 hex digits. */
export interface SocketDescription {
  type: string
  address: string
  backlog: number
  cookie: string
}

/** One socket in `list`: `queue` and `limit` as `ss` shows them; null where the kernel has no such figure. */
export interface SocketFigures {
  type: string
  address: string
  queue: number | null
  limit: number | null
  drops: number
  cookie: string
}

export interface NameView {
  name: string
  mode: 'shared' | 'exclusive'
  state: 'lost' | 'paused' | 'handing-over' | 'saturated' | 'repaired' | 'idle' | 'ok'
  generation: string
  holders: { granted: number; ready: number; draining: number }
  waiting: number
  /** While an exclusive name is handed over: the pid that waits to accept, and the pids that it waits for. */
  handingOverTo?: number
  waitingFor?: number[]
  /** `lost`: the process that has its address, as far as the broker can see. */
  lostTo?: number
  /** For a minute: when a socket of it was repaired, in milliseconds since the epoch. */
  repairedAt?: number
  sockets: SocketFigures[]
}

interface HolderProcess {
  name: string
  pid: number
  uid: number
  gid: number
  user: string
  command: string
  /** The systemd unit, and the container's id or name, by the cgroup. */
  unit?: string
  container?: string
}

/** One lease in `holders`. Times are milliseconds since the epoch. */
export interface LeaseView extends HolderProcess {
  lease: number
  generation: string
  state: 'granted' | 'ready' | 'draining'
  since: number
  deadline?: number
  label?: string
  status?: string
}

/** A process that has a name's socket open without a lease: a child that inherited it, a holder that gave its lease back and kept it. */
export interface UndeclaredView extends HolderProcess {
  lease: null
  generation: null
  state: 'undeclared'
  since: null
  /** The lease of the ancestor that it has the socket from. */
  inheritedFrom?: number
}

export type HolderView = LeaseView | UndeclaredView

export interface HoldersAnswer {
  holders: readonly HolderView[]
  /** Processes that the broker may not look into, and which may have undeclared copies; absent when there is none. */
  unseen?: number
}

/** What a reload changes; names as the new configuration has them. */
export interface ReloadChanges {
  added: string[]
  removed: string[]
  /** With the keys that differ. */
  changed: { name: string; keys: string[] }[]
  unchanged: string[]
  /** Keys of [broker] that differ, and `tokens`. */
  broker: string[]
  warnings: string[]
}

/** Says what a value must be, or undefined when it is that. */
type Check = (value: unknown) => string | undefined

interface Field {
  check: Check
  required?: true
}

const integer =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `must be an integer from ${min} to ${max}`

const anyInteger: Check = (value) =>
  Number.isInteger(value) || typeof value === 'bigint' ? undefined : 'must be an integer'

const boolean: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false')

const oneOf =
  (words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string) ? undefined : `must be one of ${words.join(', ')}`

/** Text that reaches terminals and logs: no C0 or C1 control characters, no line or paragraph separators, no lone surrogates. */
const text =
  (maxBytes: number): Check =>
  (value) => {
    if (typeof value !== 'string') return 'must be a string'
    if (Buffer.byteLength(value) > maxBytes) return `must be at most ${maxBytes} bytes of UTF-8`
    if (/[\p{Cc}\u2028\u2029]/u.test(value)) return 'must not hold control characters'
    return /\p{Surrogate}/u.test(value) ? 'must be valid Unicode' : undefined
  }

const name: Check = (value) => {
  if (typeof value !== 'string') return `must be a string of 1 to ${NAME_MAX} characters`
  return nameFault(value)
}

const generation: Check = (value) => {
  if (typeof value !== 'string') return `must be a string of 1 to ${GENERATION_MAX} characters`
  return generationFault(value)
}

const lease = integer(0, Number.MAX_SAFE_INTEGER)
const leases: Check = (value) =>
  Array.isArray(value) && value.every((id) => lease(id) === undefined) ? undefined : 'must be an array of lease ids'

const LEASE = { lease: { check: lease, required: true } } as const

export const VERBS: { readonly [O in Op]: { readonly [K in keyof Requests[O]]-?: Field } } = {
  hello: {
    version: { check: anyInteger, required: true },
    client: { check: text(LABEL_MAX) },
    token: { check: text(TOKEN_MAX) },
    leases: { check: leases },
  },
  acquire: {
    name: { check: name, required: true },
    generation: { check: generation },
    takeover: { check: boolean },
    wait: { check: integer(-1, MILLISECONDS_MAX) },
    ready: { check: boolean },
    bind: { check: oneOf(BINDINGS) },
    label: { check: text(LABEL_MAX) },
    drainSignal: { check: oneOf(DRAIN_SIGNALS) },
    readyAfter: { check: integer(0, MILLISECONDS_MAX) },
  },
  ready: LEASE,
  release: LEASE,
  sockets: LEASE,
  reclaim: { ...LEASE, name: { check: name, required: true } },
  list: {},
  holders: { name: { check: name }, undeclared: { check: boolean } },
  stats: {},
  events: {},
  history: {
    name: { check: name },
    limit: { check: integer(0, HISTORY_MAX) },
    since: { check: integer(0, Number.MAX_SAFE_INTEGER) },
  },
  drain: {
    name: { check: name },
    lease: { check: lease },
    timeout: { check: integer(0, MILLISECONDS_MAX) },
  },
  pause: { name: { check: name, required: true }, drain: { check: boolean } },
  resume: { name: { check: name, required: true } },
  reload: { dryRun: { check: boolean } },
  upgrade: {},
  shutdown: {},
}

const REQUIRED = Object.fromEntries(
  Object.entries(VERBS).map(([op, fields]: [string, Record<string, Field>]) => [
    op,
    Object.keys(fields).filter((key) => fields[key]?.required),
  ]),
) as Record<Op, string[]>

export function isOp(op: string): op is Op {
  return Object.hasOwn(VERBS, op)
}

/** A hello of another version may have keys and values that this version does not know: its version is what is told. */
export function isOtherVersion(op: Op, body: Record<string, unknown>, floats: readonly string[]): boolean {
  const { version } = body
  if (op !== 'hello' || floats.includes('version') || VERBS.hello.version.check(version) !== undefined) return false
  return !SUPPORTED_VERSIONS.includes(version as number)
}

/**
 * Checks a request's keys and values against its verb's row. Returns what is wrong, naming the key, or undefined.
 * `floats` are the keys under which the packet has a float: wherever an integer is due that is a fault.
 */
export function shapeFault(op: Op, body: Record<string, unknown>, floats: readonly string[]): string | undefined {
  const fields: Record<string, Field> = VERBS[op]
  for (const key of Object.keys(body)) {
    if (key === 'id' || key === 'op') continue
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (field === undefined) {
      const known = Object.keys(fields).join(', ')
      return `${op}: unknown key ${quote(key)}; ${known === '' ? 'it takes none' : `it takes ${known}`}`
    }
    const fault = floats.includes(key) ? 'must not be a float' : field.check(body[key])
    if (fault !== undefined) return `${op}: ${key} ${fault}`
  }
  for (const key of REQUIRED[op]) if (!Object.hasOwn(body, key)) return `${op}: ${key} is missing`
  return undefined
}
