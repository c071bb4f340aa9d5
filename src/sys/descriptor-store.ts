import type { OwnedFd } from './owned-fd.ts'

/** Keeps descriptors for a broker that may die: the next one takes them back under the same keys. */
export interface DescriptorStore {
  /** False when nothing that is put here outlives the broker. */
  readonly keeps: boolean
  /** Keeps copies of `fds` instead of whatever is under `key`. */
  put(key: string, fds: readonly number[]): void
  /** As put(), of what take() gave under that very key. */
  retain(key: string, fds: readonly number[]): void
  delete(key: string): void
  /** Everything that is kept, as copies of the caller's own. */
  take(): Map<string, OwnedFd[]>
}

/** Without a keeper nothing outlives the broker. */
export const NO_STORE: DescriptorStore = {
  keeps: false,
  put: () => {},
  retain: () => {},
  delete: () => {},
  take: () => new Map(),
}
