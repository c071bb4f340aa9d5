// What a store gave back at the start: each part of the broker claims its own, and what nobody claimed is given up.

import { type DescriptorStore, NO_STORE, type OwnedFd } from '../sys/index.ts'

export class KeptDescriptors {
  readonly store: DescriptorStore
  private readonly kept: Map<string, OwnedFd[]>

  constructor(store: DescriptorStore = NO_STORE) {
    this.store = store
    this.kept = store.take()
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
