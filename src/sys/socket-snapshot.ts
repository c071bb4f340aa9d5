import { crc32 } from 'node:zlib'
import type { Address } from '../protocol/address.ts'
import { addon } from './addon.ts'
import { GUARDED_OPTIONS, type GuardedOption } from './guarded-options.ts'
import { check } from './system-error.ts'

/** One thing that is not as it was. */
export interface Bend {
  readonly option: GuardedOption
  readonly before: Uint8Array
  readonly now: Uint8Array
}

interface Plan {
  readonly options: readonly GuardedOption[]
  /** Where each option's bytes begin. */
  readonly at: readonly number[]
  readonly rows: Int32Array
  readonly length: number
  /** Of those, what SET_BY_LISTEN has: where each one's bytes begin, and their table. */
  readonly byListen: readonly { at: number; size: number }[]
  readonly listenRows: Int32Array
  /** Tells this table from another version's. */
  readonly digest: string
}

/** What opening a kept socket sets anew: the caller of listen(), and its backlog. */
const SET_BY_LISTEN: ReadonlySet<string> = new Set(['backlog', 'listen'])

const plans = new Map<string, Plan>()

/** What belongs to IPv6 is asked of its sockets only: each question is a system call. */
function planFor(address: Address): Plan {
  const ipv6 = 'family' in address && address.family === 6
  const key = `${address.type} ${ipv6}`
  const known = plans.get(key)
  if (known) return known
  const options = GUARDED_OPTIONS.filter(
    ({ types, label }) => types.includes(address.type) && (ipv6 || !label.startsWith('IPV6_')),
  )
  const at: number[] = []
  let length = 0
  for (const { size } of options) {
    at.push(length)
    length += size
  }
  const rows = Int32Array.from(options.flatMap(({ level, name, size }) => [level, name, size]))
  const ofListen = options.flatMap((option, index) =>
    SET_BY_LISTEN.has(option.label) ? [{ option, at: at[index]! }] : [],
  )
  const byListen = ofListen.map(({ option: { size }, at }) => ({ at, size }))
  const listenRows = Int32Array.from(ofListen.flatMap(({ option: { level, name, size } }) => [level, name, size]))
  const digest = crc32(new Uint8Array(rows.buffer)).toString(16)
  const plan = { options, at, rows, length, byListen, listenRows, digest }
  plans.set(key, plan)
  return plan
}

/** What a shared socket is like, so that it can be seen when it is otherwise. One system call an option, one call of the addon in all. */
export class SocketSnapshot {
  private readonly fd: number
  private readonly plan: Plan
  private readonly expected: Uint8Array
  private readonly found: Uint8Array
  /** Counts the changes of what is expected. */
  revision = 0

  /** As it is now. `fd` stays its owner's. */
  constructor(fd: number, address: Address) {
    this.fd = fd
    this.plan = planFor(address)
    this.expected = new Uint8Array(this.plan.length)
    this.found = new Uint8Array(this.plan.length)
    check(addon.audit(fd, this.plan.rows, this.expected, this.expected), 'getsockopt')
  }

  /** What listen() sets is to be as it is now. */
  refresh(): void {
    const { byListen, listenRows } = this.plan
    const now = new Uint8Array(byListen.reduce((sum, { size }) => sum + size, 0))
    if (now.length > 0) check(addon.audit(this.fd, listenRows, now, now), 'getsockopt')
    let from = 0
    for (const { at, size } of byListen) {
      this.expected.set(now.subarray(from, from + size), at)
      from += size
    }
  }

  /** For restore(). */
  toString(): string {
    return `${this.plan.digest}:${Buffer.from(this.expected).toString('base64')}`
  }

  /** It is to be as another snapshot of the same socket said; one by another version of this table is of no use. */
  restore(text: string): void {
    const [digest, base64 = ''] = text.split(':')
    const former = Buffer.from(base64, 'base64')
    if (digest !== this.plan.digest || former.length !== this.plan.length) return
    for (const [index, { label, size }] of this.plan.options.entries()) {
      const at = this.plan.at[index]!
      if (!SET_BY_LISTEN.has(label)) this.expected.set(former.subarray(at, at + size), at)
    }
  }

  /** What is not as it was; where a value may rise and has risen, that is how it is from now on. */
  bends(): readonly Bend[] {
    if (check(addon.audit(this.fd, this.plan.rows, this.expected, this.found), 'getsockopt') === 0) return []
    const bends = this.plan.options.flatMap((option, index) => this.bend(option, this.plan.at[index]!))
    return bends.filter((bend) => !this.hasRisen(bend))
  }

  private bend(option: GuardedOption, at: number): Bend[] {
    const before = this.expected.subarray(at, at + option.size)
    const now = this.found.subarray(at, at + option.size)
    if (Buffer.compare(before, now) === 0) return []
    return [{ option, before: before.slice(), now: now.slice() }]
  }

  private hasRisen(bend: Bend): boolean {
    if (!bend.option.mayRise || wordOf(bend.now) <= wordOf(bend.before)) return false
    this.accept(bend)
    return true
  }

  /** How it is now is how it is to be. */
  accept({ option, now }: Bend): void {
    this.change(this.plan.options.indexOf(option), now)
  }

  /** How an option is to be, whatever it is. */
  expect(label: string, value: number): void {
    const index = this.plan.options.findIndex((option) => option.label === label)
    if (index >= 0) this.change(index, new Uint8Array(Int32Array.of(value).buffer))
  }

  private change(index: number, bytes: Uint8Array): void {
    const at = this.plan.at[index]!
    if (Buffer.compare(this.expected.subarray(at, at + bytes.length), bytes) === 0) return
    this.expected.set(bytes, at)
    this.revision++
  }
}

export function wordOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(0, LITTLE)
}

const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
