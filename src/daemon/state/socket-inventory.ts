// Which sockets there are, in a file: for the day on which keeper and broker die at once, and workers are all that still have them.
// Their cookies tell them from whatever else has their addresses by then, in the same boot and network namespace.

import { closeSync, constants, fstatSync, openSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { type Address, formatAddress, parseAddress } from '../../protocol/address.ts'
import { type BoundSocket, cookieScope, inodeOf, OpenSocketSearch, type Recovered } from '../../sys/index.ts'
import type { Log } from '../log.ts'

/** What one look into all processes found is good for so long: a start asks for every socket, a lost one is sought again later. */
const SEARCH_MS = 900

interface Known {
  address: string
  cookie: string
  /** Not in the file of an earlier version. */
  inode?: number | undefined
}

interface Written {
  version: 1
  boot: string
  netns: string
  sockets: Record<string, Known>
}

export class SocketInventory {
  private readonly path: string
  private readonly log: Log
  private readonly scope = cookieScope()
  private readonly sockets = new Map<string, Known>()
  private readonly former: Map<string, Known>
  private search: OpenSocketSearch | undefined
  /** What that search found nowhere. */
  private readonly nowhere = new Set<string>()
  private written = ''
  private failed = false

  constructor(path: string, log: Log) {
    this.path = path
    this.log = log
    this.former = this.read()
  }

  note(key: string, { fd, address, cookie, unbound }: BoundSocket): void {
    // The one that could not be had may still be had by the next broker.
    if (unbound) {
      const lost = this.former.get(key)
      if (lost !== undefined) this.sockets.set(key, lost)
      return
    }
    this.former.delete(key)
    this.sockets.set(key, { address: formatAddress(address), cookie, inode: inodeOf(fd.fd) })
  }

  clear(): void {
    this.sockets.clear()
  }

  /** Replaced as a whole, so that a reader finds the old or the new. Before anybody gets one of these sockets. */
  write(): void {
    const text = JSON.stringify({
      version: 1,
      ...this.scope,
      sockets: Object.fromEntries(this.sockets),
    } satisfies Written)
    if (text === this.written) return
    const fresh = `${this.path}.new`
    try {
      if (this.sockets.size === 0) unlinkSync(this.path)
      else {
        writeFileSync(fresh, text, { mode: 0o600 })
        renameSync(fresh, this.path)
      }
      this.written = text
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && this.sockets.size === 0) return
      if (!this.failed)
        this.log.warn({ path: this.path, err: error }, 'the list of sockets in state_dir cannot be written')
      this.failed = true
    }
  }

  /** Whether the broker before had that address under that name, in this boot and network namespace. */
  had(name: string, address: Address): boolean {
    const text = formatAddress(address)
    for (const [key, known] of this.former) if (key.startsWith(`${name}#`) && known.address === text) return true
    return false
  }

  /** A socket of that name and type which the broker before had, from a worker that has it open. `accept` says whether it is wanted. */
  recover(
    name: string,
    type: string,
    accept: (recovered: Recovered) => BoundSocket | undefined,
  ): BoundSocket | undefined {
    for (const [key, known] of this.former) {
      const { address } = known
      const parsed = parseAddress(address)
      if (!key.startsWith(`${name}#`) || parsed.type !== type) continue
      const recovered = this.find(key, parsed, known)
      const socket = recovered && accept(recovered)
      if (socket === undefined) {
        recovered?.fd.closeLater()
        continue
      }
      this.former.delete(key)
      this.log.warn({ name, address, pid: recovered!.pid }, 'no keeper had this socket: taken back from a worker')
      return socket
    }
    return undefined
  }

  private find(key: string, address: Address, { cookie, inode }: Known): Recovered | undefined {
    if (this.search === undefined || performance.now() - this.search.at > SEARCH_MS) {
      this.search = new OpenSocketSearch()
      this.nowhere.clear()
    }
    if (this.nowhere.has(key)) return undefined
    const recovered = this.search.recover(address, cookie, inode)
    if (recovered === undefined) this.nowhere.add(key)
    return recovered
  }

  private read(): Map<string, Known> {
    let fd: number
    try {
      fd = openSync(this.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch {
      return new Map()
    }
    try {
      const stat = fstatSync(fd)
      const own = stat.isFile() && (stat.uid === process.geteuid!() || stat.uid === 0) && (stat.mode & 0o022) === 0
      const text = own ? readFileSync(fd, 'utf8') : '{}'
      const { version, boot, netns, sockets } = JSON.parse(text) as Partial<Written>
      this.written = text
      const valid = version === 1 && boot === this.scope.boot && netns === this.scope.netns
      return new Map(valid ? Object.entries(sockets ?? {}) : [])
    } catch {
      // Not what we wrote.
      return new Map()
    } finally {
      closeSync(fd)
    }
  }
}
