// systemd as a second keeper: whatever the broker keeps, systemd's file descriptor store has too (FDSTORE=1), and gives back by
// LISTEN_FDS when the unit is started again. The store knows names only, and removes all descriptors of a name at once.

import {
  type DescriptorStore,
  dupAll,
  isStill,
  type LentFile,
  lentFile,
  type OwnedFd,
  type PassedFd,
  SystemError,
  socketCookie,
} from '../../sys/index.ts'
import type { Log } from '../log.ts'
import type { Notices } from './notices.ts'

/** A lock ends with the process that has it, and an upgrade hands connections on by the keeper. */
const NOT_STORED = /^\.(lock$|conn\/)/
const RETRY_MS = 1000
const PASSED = /^\.listen\/\d+\/(.*)$/

/** A socket's is the name that it belongs to; what is internal begins with a dot. */
export function storedName(key: string): string {
  if (key.startsWith('.')) return key
  const [name = '', index] = key.split('#')
  return index === undefined || /^\d+$/.test(index) ? name : `.${key}`
}

/** The broker's key; of a socket only the name is known, under which those of that name are together. */
export function keyOfStored(name: string): string {
  if (name.startsWith('.') && name.includes('#')) return name.slice(1)
  return name.endsWith('.socket') ? name.slice(0, -'.socket'.length) : name
}

export class SystemdStore implements DescriptorStore {
  private readonly inner: DescriptorStore
  private readonly notices: Notices
  private readonly passed: PassedFd[]
  /** Copies of what is stored, by name and key: removing one key of a name means storing the others again. */
  private readonly stored = new Map<string, Map<string, OwnedFd[]>>()
  private taken: string[] = []
  /** Keys under which the other store had what take() gave. */
  private innerHad = new Set<string>()
  /** What is to be done with systemd's store, while another broker's things are in it. */
  private waiting: (() => void)[] | undefined
  /** Internal names that the store has from before: what is put under them now takes the place of that. */
  private readonly stale = new Set<string>()
  private readonly log: Log | undefined
  /** By key, what there was no descriptor for a copy of; and names of which systemd was not sent all. Both are tried again. */
  private readonly owed = new Map<string, LentFile[]>()
  private readonly incomplete = new Set<string>()
  private retry: NodeJS.Timeout | undefined
  private short = false

  /** `held`: systemd hears of nothing before begin(). */
  constructor(
    inner: DescriptorStore,
    notices: Notices,
    passed: PassedFd[],
    options: { held?: boolean; log?: Log } = {},
  ) {
    this.inner = inner
    this.notices = notices
    this.passed = passed
    this.log = options.log
    if (options.held) this.waiting = []
  }

  /** The new broker of an upgrade is the broker now. */
  begin(): void {
    const { waiting = [] } = this
    this.waiting = undefined
    for (const act of waiting) act()
  }

  get keeps(): boolean {
    return this.inner.keeps || this.notices.active
  }

  put(key: string, fds: readonly number[]): void {
    this.inner.put(key, fds)
    this.copy(key, fds)
  }

  retain(key: string, fds: readonly number[]): void {
    if (!this.innerHad.has(key)) return this.put(key, fds)
    this.inner.retain(key, fds)
    this.copy(key, fds)
  }

  private copy(key: string, fds: readonly number[]): void {
    if (!this.notices.active || NOT_STORED.test(key)) return
    const name = storedName(key)
    const keys = this.stored.get(name) ?? new Map<string, OwnedFd[]>()
    const former = keys.get(key)
    this.stored.set(name, keys)
    this.owed.delete(key)
    const copies = this.shortOf(
      () => dupAll(fds),
      () => this.owed.set(key, fds.map(lentFile)),
    )
    if (copies === undefined) keys.delete(key)
    else keys.set(key, copies)
    for (const fd of former ?? []) fd.close()
    if (former !== undefined || this.stale.delete(name)) this.storeAnew(name)
    else if (copies !== undefined) this.store(name, copies)
  }

  /** Who changes what is stored is in the midst of something that cannot be undone: what is short now is tried again. */
  private shortOf<T>(act: () => T, owe: () => unknown): T | undefined {
    try {
      return act()
    } catch (error) {
      if (!(error instanceof SystemError)) throw error
      if (!this.short)
        this.log?.error({ err: error }, 'systemd cannot be given all that it is to keep; it is tried again')
      this.short = true
      owe()
      this.retry ??= setTimeout(() => this.settleDebts(), RETRY_MS).unref()
      return undefined
    }
  }

  private settleDebts(): void {
    this.retry = undefined
    for (const [key, lent] of [...this.owed]) {
      this.owed.delete(key)
      if (lent.every(isStill)) this.copy(key, numbersOf(lent))
    }
    for (const name of [...this.incomplete]) {
      this.incomplete.delete(name)
      this.storeAnew(name)
    }
    if (this.owed.size > 0 || this.incomplete.size > 0) return
    this.short = false
    this.log?.info('systemd has been given all that it is to keep')
  }

  delete(key: string): void {
    this.inner.delete(key)
    this.owed.delete(key)
    if (!this.notices.active || (NOT_STORED.test(key) && !this.stale.delete(storedName(key)))) return
    const name = storedName(key)
    const keys = this.stored.get(name)
    for (const fd of keys?.get(key) ?? []) fd.close()
    keys?.delete(key)
    this.storeAnew(name)
  }

  take(): Map<string, OwnedFd[]> {
    const kept = this.inner.take()
    this.innerHad = new Set([...kept.keys()].filter((key) => !PASSED.test(key)))
    const passed = this.passed.splice(0)
    for (const [key, fds] of [...kept]) {
      const name = PASSED.exec(key)?.[1]
      if (name === undefined) continue
      this.taken.push(key)
      kept.delete(key)
      for (const fd of fds) passed.push({ name, fd })
    }
    for (const { name, fd } of passed) {
      const key = keyOfStored(name)
      const others = kept.get(key) ?? []
      if (others.some((other) => isSameSocket(other, fd))) fd.close()
      else kept.set(key, [...others, fd])
    }
    for (const [key, fds] of kept) {
      if (!storedName(key).startsWith('.')) continue
      this.stale.add(storedName(key))
      // What is internal has its own key; whoever claims it takes it for kept. Of a socket the name is all that is known.
      if (this.innerHad.has(key)) continue
      this.inner.put(key, numbersOf(fds))
      this.innerHad.add(key)
    }
    return kept
  }

  /** Everything that was taken has its own key now. */
  settled(): void {
    for (const key of this.taken.splice(0)) this.inner.delete(key)
  }

  close(): void {
    clearTimeout(this.retry)
    for (const keys of this.stored.values()) for (const fds of keys.values()) for (const fd of fds) fd.close()
    this.stored.clear()
  }

  private storeAnew(name: string): void {
    if (this.waiting) return void this.waiting.push(() => this.storeAnew(name))
    this.notices.send(`FDSTOREREMOVE=1\nFDNAME=${name}`)
    for (const fds of this.stored.get(name)?.values() ?? []) this.store(name, fds)
  }

  /** FDPOLL=0: otherwise a holder's shutdown() would make systemd drop a socket that can be repaired. */
  private store(name: string, fds: readonly OwnedFd[]): void {
    if (this.waiting) return void this.waiting.push(() => this.store(name, fds))
    // Replaced or given up since.
    if (fds.some(({ closed }) => closed)) return
    this.shortOf(
      () => this.notices.send(`FDSTORE=1\nFDNAME=${name}\nFDPOLL=0`, numbersOf(fds)),
      () => this.incomplete.add(name),
    )
  }
}

const numbersOf = (fds: readonly { fd: number }[]) => fds.map(({ fd }) => fd)

/** A socket comes twice when its .socket unit passes it and the store has it. */
function isSameSocket(one: OwnedFd, other: OwnedFd): boolean {
  try {
    return socketCookie(one.fd) === socketCookie(other.fd)
  } catch {
    return false
  }
}
