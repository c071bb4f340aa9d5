// What a store gave back at the start: each part of the broker claims its own, and what nobody claimed is given up.

import { type DescriptorStore, NO_STORE, type OwnedFd } from '../sys/index.ts'

export class KeptDescriptors {
  readonly store: DescriptorStore
  private readonly kept: Map<string, OwnedFd[]>
  /** As it was given. */
  private readonly taken: ReadonlyMap<string, readonly OwnedFd[]>

  constructor(store: DescriptorStore = NO_STORE) {
    this.store = store
    this.kept = store.take()
    this.taken = new Map(this.kept)
  }

  keys(): string[] {
    return [...this.kept.keys()]
  }

  /** The caller's from now on; empty when nothing is kept under `key`. */
  claim(key: string): OwnedFd[] {
    const fds = this.kept.get(key) ?? []
    this.kept.delete(key)
    return fds
  }

  /** A claim that came to nothing: another may have it. */
  giveBack(key: string, fds: OwnedFd[]): void {
    if (fds.length > 0) this.kept.set(key, fds)
  }

  /** To be kept under `key`, where it may have come from; undefined: nothing is. Only while nothing else was put there. */
  keepOn(key: string, fd: OwnedFd | undefined): void {
    const [was, ...others] = this.taken.get(key) ?? []
    if (fd === undefined) return was === undefined ? undefined : this.store.delete(key)
    if (fd === was && others.length === 0) this.store.retain(key, [fd.fd])
    else this.store.put(key, [fd.fd])
  }

  /** Nobody wants the rest: it is closed here, and in the store. Returns its keys. */
  dropRest(): string[] {
    const keys = this.keys()
    for (const key of keys) {
      this.closeKept(key)
      this.store.delete(key)
    }
    return keys
  }

  /** Closes the copies; the store goes on keeping. */
  close(): void {
    for (const key of this.keys()) this.closeKept(key)
  }

  private closeKept(key: string): void {
    for (const fd of this.claim(key)) fd.closeLater()
  }
}
