import { addon, constants } from './addon.ts'
import { check } from './system-error.ts'

/** A descriptor that only keeps a slot of the table; undefined when the table has none. */
export function openSpare(): OwnedFd | undefined {
  const result = addon.open('/', constants.O_PATH | constants.O_DIRECTORY, 0)
  return result < 0 ? undefined : new OwnedFd(result)
}

/** Copies of all, or of none. */
export function dupAll(fds: Iterable<number>): OwnedFd[] {
  const copies: OwnedFd[] = []
  try {
    for (const fd of fds) copies.push(new OwnedFd(check(addon.dup(fd), 'dup')))
    return copies
  } catch (error) {
    for (const copy of copies) copy.close()
    throw error
  }
}

/**
 * A descriptor and its one owner: whoever has the OwnedFd closes it, or releases it to another owner, once. When its thread ends,
 * however it ends, the addon closes it.
 */
export class OwnedFd implements Disposable {
  #fd: number

  constructor(fd: number) {
    if (!Number.isInteger(fd) || fd < 0) throw new TypeError(`not a descriptor: ${fd}`)
    this.#fd = fd
  }

  get closed(): boolean {
    return this.#fd < 0
  }

  /** Lends the number. Throws once it is closed or released: the kernel may have given it to another file by then. */
  get fd(): number {
    if (this.#fd < 0) throw new Error('the descriptor is closed or released')
    return this.#fd
  }

  dup(): OwnedFd {
    return new OwnedFd(check(addon.dup(this.fd), 'dup'))
  }

  /** Gives the number away; the caller closes it from now on, and the end of the thread does not. */
  release(): number {
    const fd = this.#leave()
    addon.disown(fd)
    return fd
  }

  /** Gives the number to `take`, which makes a socket of Node's of it; closed when that throws. */
  giveTo(take: (fd: number) => void): void {
    addon.give(this.#leave(), take)
  }

  close(): void {
    if (this.#fd >= 0) addon.close(this.#leave())
  }

  /** Closes off this thread, for a descriptor that came from another process: its close may block for seconds. */
  closeLater(): void {
    if (this.#fd >= 0) addon.closeLater(this.#leave())
  }

  #leave(): number {
    const { fd } = this
    this.#fd = -1
    return fd
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
