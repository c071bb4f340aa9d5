// A descriptor store of the test's own process: what a keeper would keep.

import { type DescriptorStore, dupAll, type OwnedFd } from '../../src/sys/index.ts'

export class MemoryStore implements DescriptorStore, Disposable {
  readonly keeps = true
  readonly kept = new Map<string, OwnedFd[]>()
  puts = 0

  put(key: string, fds: readonly number[]): void {
    this.delete(key)
    this.kept.set(key, dupAll(fds))
    this.puts++
  }

  retain(): void {}

  delete(key: string): void {
    for (const fd of this.kept.get(key) ?? []) fd.close()
    this.kept.delete(key)
  }

  take(): Map<string, OwnedFd[]> {
    return new Map([...this.kept].map(([key, fds]) => [key, dupAll(fds.map((fd) => fd.fd))]))
  }

  [Symbol.dispose](): void {
    for (const key of [...this.kept.keys()]) this.delete(key)
  }
}
