import { readdirSync, readlinkSync } from 'node:fs'
import { endianness } from 'node:os'
import { type Address, type InetAddress, parseIpv4, parseIpv6, type UnixAddress } from '../protocol/address.ts'
import { fileOfUnix } from './figures.ts'
import { readText } from './proc.ts'
import { parseCommand } from './process-facts.ts'
import { isAbstract, isBeside, lstat } from './unix-path.ts'

export interface SocketOwner {
  pid: number
  /** The program's name. */
  command: string
}

/** tcp_states.h: what a listener has; a UDP socket that is only bound has TCP_CLOSE. */
const LISTEN = '0A'
/** include/linux/net.h: __SO_ACCEPTCON */
const ACCEPTING = 0x10000
/** Of sockets that bear a path so many are asked for their file. */
const LIKELY = 16

function bytesOf({ host, family }: InetAddress): number[] {
  if (family === 4) return parseIpv4(host)!
  return parseIpv6(host)!.flatMap((group) => [group >> 8, group & 255])
}

/** /proc prints each 32-bit word of an address, which is in network order, as a number of the machine. */
function bytesOfHex(hex: string): number[] {
  const words = hex.match(/.{8}/g) ?? []
  return words.flatMap((word) => {
    const bytes = [...Buffer.from(word, 'hex')]
    return endianness() === 'LE' ? bytes.reverse() : bytes
  })
}

function mapped(bytes: number[]): number[] {
  return bytes.length === 4 ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes] : bytes
}

function overlaps(one: number[], other: number[]): boolean {
  const wildcard = (bytes: number[]) => bytes.every((byte) => byte === 0)
  if (wildcard(one) || wildcard(other)) return one.length === other.length || wildcard(one.length === 16 ? one : other)
  return mapped(one).join() === mapped(other).join()
}

function inetInodes(address: InetAddress): string[] {
  const wanted = bytesOf(address)
  const found: { inode: string; rank: number }[] = []
  for (const table of [address.type, `${address.type}6`]) {
    const lines = readText(`/proc/net/${table}`)?.split('\n').slice(1) ?? []
    for (const line of lines) {
      const [, local = '', , state, , , , , , inode = '0'] = line.trim().split(/\s+/)
      const [host = '', port = ''] = local.split(':')
      if (Number.parseInt(port, 16) !== address.port || inode === '0') continue
      if (overlaps(wanted, bytesOfHex(host))) found.push({ inode, rank: state === LISTEN ? 0 : 1 })
    }
  }
  return found.sort((a, b) => a.rank - b.rank).map(({ inode }) => inode)
}

/**
 * Connections accepted from a listener bear its path too; the listener's own row comes first. One that was bound beside the path and
 * renamed onto it bears the name that it was bound to.
 */
export function parseUnixTable(text: string, path: string): string[] {
  const found: { inode: string; rank: number }[] = []
  for (const line of text.split('\n')) {
    const [, flags, inode, name] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (.*)$/.exec(line) ?? []
    if (name === path || (name !== undefined && isBeside(name, path)))
      found.push({ inode: inode!, rank: Number.parseInt(flags!, 16) & ACCEPTING ? 0 : 1 })
  }
  return found.sort((a, b) => a.rank - b.rank).map(({ inode }) => inode)
}

/** The path's own socket before those that had it earlier. */
function unixInodes({ path }: UnixAddress): string[] {
  const found = parseUnixTable(readText('/proc/net/unix') ?? '', path)
  const file = found.length > 1 && !isAbstract(path) ? lstat(path)?.ino : undefined
  if (file === undefined) return found
  const likely = found.splice(0, LIKELY)
  const isThere = (inode: string) => fileOfUnix(Number(inode)) === file % 2 ** 32
  return [...likely.filter(isThere), ...likely.filter((inode) => !isThere(inode)), ...found]
}

/** Of the sockets in this network namespace that are bound to it, the likeliest first. */
export function inodesOf(address: Address): string[] {
  if (address.type === 'vsock') return []
  if ('host' in address) return inetInodes(address)
  return unixInodes(address satisfies UnixAddress)
}

function links(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => `${directory}/${name}`)
  } catch {
    return []
  }
}

function isOpenIn(pid: string, target: string): boolean {
  return links(`/proc/${pid}/fd`).some((link) => {
    try {
      return readlinkSync(link) === target
    } catch {
      return false
    }
  })
}

/** Who has the address in this network namespace, as far as we can look into other processes; for messages only, so it never throws. */
export function findSocketOwner(address: Address): SocketOwner | undefined {
  try {
    return search(address)
  } catch {
    return undefined
  }
}

function search(address: Address): SocketOwner | undefined {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  for (const inode of inodesOf(address)) {
    const pid = pids.find((one) => isOpenIn(one, `socket:[${inode}]`))
    if (pid) return { pid: Number(pid), command: parseCommand((readText(`/proc/${pid}/comm`) ?? '').trimEnd()) }
  }
  return undefined
}

/** `nginx (pid 123)` */
export function describeOwner(owner: SocketOwner | undefined): string {
  return owner ? `${owner.command} (pid ${owner.pid})` : 'a process that we may not look into'
}
