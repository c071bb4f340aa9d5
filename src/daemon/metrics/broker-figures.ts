// The broker's own figures, read when asked.

import { readdirSync, readFileSync } from 'node:fs'

export interface BrokerFigures {
  residentBytes: number
  openFds: number
  maxFds: number
  cpuSeconds: number
  startSeconds: number
}

/** Once, or it would move with each reading, and every scrape would look like a restart. */
const STARTED = Date.now() / 1000 - process.uptime()

export function brokerFigures(): BrokerFigures {
  const { user, system } = process.cpuUsage()
  return {
    residentBytes: process.memoryUsage.rss(),
    openFds: countFds(),
    maxFds: maxFds(),
    cpuSeconds: (user + system) / 1e6,
    startSeconds: STARTED,
  }
}

/** The directory that is read is open too, for as long as it is read. */
function countFds(): number {
  return readdirSync('/proc/self/fd').length - 1
}

function maxFds(): number {
  const soft = /^Max open files +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}
