// The last resort: a socket that nobody kept for us, taken back from a process that was given it once.

import { readdirSync, readlinkSync } from 'node:fs'
import type { Address } from '../protocol/address.ts'
import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { readText } from './proc.ts'
import { identifySocket } from './socket-identity.ts'
import { inodesOf } from './socket-owner.ts'
import { getBytes } from './sockopt.ts'

export interface Recovered {
  fd: OwnedFd
  pid: number
}

/** What a cookie is unique in: a boot, and there a network namespace. */
export function cookieScope(): { boot: string; netns: string } {
  const boot = readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
  const result = addon.socket(constants.AF_INET, constants.SOCK_DGRAM, 0)
  if (result < 0) return { boot, netns: '' }
  using socket = new OwnedFd(result)
  try {
    const bytes = getBytes(socket.fd, constants.SOL_SOCKET, constants.SO_NETNS_COOKIE, 8)
    return { boot, netns: Buffer.from(bytes).toString('hex') }
  } catch {
    // Linux before 5.14.
    return { boot, netns: '' }
  }
}

interface Place {
  pid: number
  number: number
}

/** Who has which socket open, as far as we may look into other processes: one walk through /proc, for any number of sockets. */
export class OpenSocketSearch {
  readonly at = performance.now()
  readonly #places = new Map<string, Place[]>()

  constructor() {
    for (const name of readdirSync('/proc')) if (/^\d+$/.test(name)) this.#look(Number(name))
  }

  /**
   * The socket of that SO_COOKIE from any process that has it open, by pidfd_getfd(2), which needs CAP_SYS_PTRACE for another user's
   * process. Where to look is told by its inode, or if that is not known, by its address; what it is, by the cookie alone: anybody may
   * have bound the address since, and inode numbers come again.
   */
  recover(address: Address, cookie: string, inode?: number): Recovered | undefined {
    for (const each of inode === undefined ? inodesOf(address) : [inode]) {
      for (const place of this.#places.get(`socket:[${each}]`) ?? []) {
        const fd = takeFrom(place, cookie)
        if (fd !== undefined) return { fd, pid: place.pid }
      }
    }
    return undefined
  }

  #look(pid: number): void {
    for (const number of numbersOf(pid)) {
      const link = linkOf(pid, number)
      if (!link.startsWith('socket:')) continue
      const places = this.#places.get(link)
      if (places) places.push({ pid, number })
      else this.#places.set(link, [{ pid, number }])
    }
  }
}

function takeFrom({ pid, number }: Place, cookie: string): OwnedFd | undefined {
  const result = addon.pidfdOpen(pid)
  if (result < 0) return undefined
  using pidfd = new OwnedFd(result)
  const copy = addon.pidfdGetfd(pidfd.fd, number)
  if (copy < 0) return undefined
  const fd = new OwnedFd(copy)
  if (isThatSocket(fd, cookie)) return fd
  fd.closeLater()
  return undefined
}

function numbersOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map(Number)
  } catch {
    // It has ended, or is not ours to look into.
    return []
  }
}

function linkOf(pid: number, number: number): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${number}`)
  } catch {
    return ''
  }
}

/** The number may be another file's by now. */
function isThatSocket({ fd }: OwnedFd, cookie: string): boolean {
  try {
    return identifySocket(fd).cookie === cookie
  } catch {
    return false
  }
}
