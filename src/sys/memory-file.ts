// A file without a path (memfd_create(2)): its bytes live as long as anybody has a descriptor of it.

import { fstatSync, readSync, writeSync } from 'node:fs'
import { addon } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { check } from './system-error.ts'

export function createMemoryFile(name: string): OwnedFd {
  return new OwnedFd(check(addon.memoryFile(name), 'memfd_create'))
}

/** From `from` on, at most `most` bytes. */
export function readWhole({ fd }: OwnedFd, from = 0, most = Number.POSITIVE_INFINITY): Buffer {
  const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(fstatSync(fd).size - from, most)))
  let length = 0
  while (length < bytes.length) {
    const read = readSync(fd, bytes, length, bytes.length - length, from + length)
    if (read === 0) break
    length += read
  }
  return bytes.subarray(0, length)
}

/** Writes all of `bytes` at `position`; whatever was written when it throws will be written again there. */
export function writeAt({ fd }: OwnedFd, bytes: Uint8Array, position: number): void {
  let written = 0
  while (written < bytes.length) written += writeSync(fd, bytes, written, bytes.length - written, position + written)
}
