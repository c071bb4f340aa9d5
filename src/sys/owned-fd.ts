import { addon } from './addon.ts'
import { check } from './system-error.ts'

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

/** A descriptor and its one owner: whoever has the OwnedFd closes it, or releases it to another owner, once. */
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

  /** Gives the number away; the caller closes it from now on. */
  release(): number {
    const fd = this.fd
    this.#fd = -1
    return fd
  }

  close(): void {
    if (this.#fd >= 0) addon.close(this.release())
  }

  /** Closes off this thread, for a descriptor that came from another process: its close may block for seconds. */
  closeLater(): void {
    if (this.#fd >= 0) addon.closeLater(this.release())
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
