// The look for who keeps a copy of an exclusive name's socket when a lease of it has ended: what may happen during it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Log } from '../../src/daemon/log.ts'
import type { Sockets } from '../../src/daemon/sockets.ts'
import { UndeclaredCopies } from '../../src/daemon/undeclared.ts'
import { inodeOf, scanProcesses } from '../../src/sys/index.ts'
import { holder, World } from '../core/world.ts'
import { atEnd } from '../support/cleanup.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** A socket, and the pid of a process that has it open. */
async function keptSocket(): Promise<{ inode: number; keeper: number }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { fd } = (server as Server & { _handle: { fd: number } })._handle
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
  atEnd(async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
    server.close()
  })
  return { inode: inodeOf(fd)!, keeper: child.pid! }
}

/** One looks at a time, in the order in which they asked. */
async function lookIsOver(): Promise<void> {
  await scanProcesses([1])
  await turn()
}

it('names nobody whose lease ends during it, and looks again since that has ended', async () => {
  const { inode, keeper } = await keptSocket()
  const world = new World({ mode: 'exclusive' })
  const named: number[][] = []
  const sockets = { inodes: () => [inode] } as unknown as Sockets
  const copies = new UndeclaredCopies(world.registry, sockets, {} as Log, ({ pids }) => named.push(pids))
  const lease = world.acquire(1, { holder: holder(1, { pid: keeper }) })

  copies.leaseEnded('web')
  vi.runOnlyPendingTimers()
  world.release(1, lease)
  copies.leaseEnded('web')
  await lookIsOver()
  expect(named).toEqual([])

  vi.runOnlyPendingTimers()
  await lookIsOver()
  expect(named).toEqual([[keeper]])
  copies.close()
})
