// Another file under a number that is in use. Who listens on a descriptor, Node's servers too, knows its number only; epoll knows the
// file, so what watches the old one has to be told: /proc/self/fdinfo shows by which mask and data (proc_pid_fdinfo(5)).

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { addon, constants as c } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { check } from './system-error.ts'

/** The epoll instances of this process. */
export function findEpolls(): number[] {
  return readdirSync('/proc/self/fd').map(Number).filter(isEpoll)
}

function isEpoll(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventpoll]'
  } catch {
    return false
  }
}

interface Watch {
  epoll: number
  events: number
  low: number
  high: number
}

function watchOf(fd: number, epoll: number): Watch | undefined {
  const info = isEpoll(epoll) ? readFileSync(`/proc/self/fdinfo/${epoll}`, 'utf8') : ''
  const found = new RegExp(`^tfd:\\s+${fd} events:\\s+([0-9a-f]+) data:\\s+([0-9a-f]+)`, 'm').exec(info)
  if (found === null) return undefined
  const data = BigInt(`0x${found[2]}`)
  return {
    epoll,
    events: Number.parseInt(found[1]!, 16) | 0,
    low: Number(data & 0xffff_ffffn) | 0,
    high: Number(data >> 32n) | 0,
  }
}

/** Makes the number `to` name what `from` names. Its watchers in `epolls` go on, and it is non-blocking if it was. */
export function swapDescriptor(from: number, to: number, epolls: readonly number[]): void {
  if (addon.nonblock(to) === 1) check(addon.setNonblock(from, 1), 'fcntl')
  const watches = epolls
    .flatMap((epoll) => watchOf(to, epoll) ?? [])
    .filter(({ epoll }) => addon.epollCtl(epoll, c.EPOLL_CTL_DEL, to, 0, 0, 0) === 0)
  const status = addon.dupOnto(from, to)
  for (const { epoll, events, low, high } of watches) {
    check(addon.epollCtl(epoll, c.EPOLL_CTL_ADD, to, events, low, high), 'epoll_ctl')
  }
  check(status, 'dup3')
}

/** Puts a socket on which nothing ever comes under a number that somebody goes on watching. */
export function idleDescriptor(to: number): void {
  using idle = new OwnedFd(check(addon.socket(c.AF_INET, c.SOCK_DGRAM, 0), 'socket'))
  swapDescriptor(idle.fd, to, findEpolls())
}

export type Readiness = 'idle' | 'readable' | 'ended'

/** Whether something waits in a socket's queue. A listener that was shut has ended for all who have it. */
export function readinessOf(fd: number): Readiness {
  const events = check(addon.poll(fd, c.POLLIN), 'poll')
  if ((events & c.POLLHUP) !== 0) return 'ended'
  return (events & c.POLLIN) === 0 ? 'idle' : 'readable'
}
